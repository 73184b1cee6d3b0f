import re
from importlib import resources

import pytest

STYLE = resources.files("service.publish").joinpath("static", "style.css").read_text()
SCRIPT = resources.files("service.publish").joinpath("static", "app.js").read_bytes()
SCHEMES = [dict(re.findall(r"--([\w-]+): (#\w+)", block)) for block in
           re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[:2]]  # fmt: skip
TEXTS = [
    (ink, ground)
    for ink in ("ink", "quiet", "link", "drift", "calm", "learn")
    for ground in ("page", "sheet")
] + [("ink", "drift-soft"), ("link", "drift-soft"), ("drift", "drift-soft")]


def luminance(colour):
    digits = colour.removeprefix("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    linear = []
    for i in (0, 2, 4):
        part = int(digits[i : i + 2], 16) / 255
        linear.append(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """The ratio of WCAG 2.2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES, ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXTS)
def test_text_has_the_contrast_of_wcag_aa(scheme, ink, ground):
    assert contrast(scheme[ink], scheme[ground]) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES, ids=["light", "dark"])
def test_bars_stand_out_from_their_ground(scheme):
    for bar in ("bar", "drift"):
        for ground in ("band", "sheet"):
            assert contrast(scheme[bar], scheme[ground]) >= 3


def test_no_text_is_smaller_than_14_pixels():
    assert min(int(size) for size in re.findall(r"font(?:-size)?: ?(\d+)px", STYLE)) >= 14


def test_script_and_style_stay_small():
    assert len(SCRIPT) < 5_000
    assert len(STYLE) < 8_000
