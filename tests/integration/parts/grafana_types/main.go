// Reads dashboards into Grafana's own types: no field may be unknown, none that is needed absent.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	failed := false
	for _, path := range os.Args[1:] {
		if problem := read(path); problem != "" {
			failed = true
			fmt.Printf("%s:\n%s\n", path, problem)
		}
	}
	if failed {
		os.Exit(1)
	}
}

// What is wrong with a file, nothing when it is sound.
func read(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	board := dashboard.Dashboard{}
	if err := board.UnmarshalJSONStrict(json.RawMessage(raw)); err != nil {
		return err.Error()
	}
	// An error without words is a list of none.
	if err := board.Validate(); err != nil {
		return err.Error()
	}
	return ""
}
