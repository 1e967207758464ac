package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"greenagent/exporter/prose"
	"greenagent/supervise"
)

// goingOn says in words that processes of the run go on, "" if none does.
func goingOn(survivors func() []supervise.Survivor) string {
	// Those that end with the command, as in a pipeline, need a moment more.
	const moment, names = 10 * time.Millisecond, 3
	list := survivors()
	if len(list) > 0 {
		time.Sleep(moment)
		list = survivors()
	}
	if len(list) == 0 {
		return ""
	}
	var named []string
	for _, s := range list {
		name := prose.Line(s.Name, 20)
		if slices.Contains(named, name) {
			continue
		}
		if len(named) == names {
			named = append(named, "…")
			break
		}
		named = append(named, name)
	}
	what := "1 process of the run goes on (%s): its"
	if len(list) > 1 {
		what = strconv.Itoa(len(list)) + " processes of the run go on (%s): their"
	}
	return fmt.Sprintf(what+" energy from now on is not counted; end the command with wait to count it", strings.Join(named, ", "))
}
