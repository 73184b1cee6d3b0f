# ruff: noqa: INP001 - a script to hand to others, no package
"""What spark-submit, or a Spark operator, is given to run: the command line of Anchorwatch.

spark-submit --master spark://spark:7077 deploy/spark_submit.py \
        reference build --spark s3a://bucket/train --model credit-risk --output ref.json
"""

from service.__main__ import main

try:
    main()
except SystemExit as end:
    if end.code:  # a Spark that runs this inside of itself takes any exit for a failure
        raise
