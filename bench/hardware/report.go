package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"greenagent/energy"
)

// gpu is what is known of a GPU before it is loaded.
type gpu struct {
	UUID        string `json:"uuid"`
	Name        string `json:"name"`
	Partitioned bool   `json:"partitioned"`
	Processes   int    `json:"processes"`
	Counter     bool   `json:"counter"`
}

// report is everything that was seen. It has no user's name, no environment and no
// other process's name in it.
type report struct {
	Schema          string          `json:"schema"`
	At              time.Time       `json:"at"`
	Commit          string          `json:"commit"`
	Go              string          `json:"go"`
	Python          string          `json:"python"`
	Torch           string          `json:"torch"`
	Kernel          string          `json:"kernel"`
	CPU             string          `json:"cpu"`
	Driver          string          `json:"driver"`
	GPUs            []gpu           `json:"gpus"`
	GPU             gpu             `json:"gpu"` // the loaded one
	Warnings        []string        `json:"warnings"`
	Checks          []finding       `json:"checks"`
	Rows            []row           `json:"rows"`
	Doctor          json.RawMessage `json:"doctor"`
	Characteristics json.RawMessage `json:"characteristics"`
	Conformance     string          `json:"conformance"`
}

func (r *report) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

func (r *report) uuids() string {
	var list []string
	for _, g := range r.GPUs {
		list = append(list, g.UUID)
	}
	return strings.Join(list, ", ")
}

// write writes report.json and report.md into a folder.
func (r *report) write(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "report.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "report.md"), r.page(), 0o644)
}

func (r *report) page() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# greenagent on %s\n\n%s, driver %s, one of %d GPUs. %s, Linux %s, %s, Python %s.\ngreenagent %s, %s.\n",
		r.GPU.Name, r.GPU.UUID, r.Driver, len(r.GPUs), r.CPU, r.Kernel, r.Go, r.Python, r.Commit, r.At.Format(time.RFC3339))
	fmt.Fprint(&b, "\nTo contribute it, add a line to the table of docs/hardware.md and send this folder with it.\nLook through report.json first: it names the GPUs and what greenagent doctor says of the machine.\n")
	section := func(name string, lines []string) {
		if len(lines) > 0 {
			fmt.Fprintf(&b, "\n## %s\n\n- %s\n", name, strings.Join(lines, "\n- "))
		}
	}
	section("Warnings", r.Warnings)
	odd := 0
	for _, c := range r.Checks {
		if !c.OK {
			odd++
		}
	}
	fmt.Fprintf(&b, "\n## Checks\n\n%d of %d are as expected.\n\n| | seen | expected | |\n|---|---|---|---|\n", len(r.Checks)-odd, len(r.Checks))
	for _, c := range r.Checks {
		verdict := "**odd**"
		if c.OK {
			verdict = "ok"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.What, c.Seen, c.Expected, verdict)
	}
	fmt.Fprint(&b, "\n## Loads\n\n| | for | greenagent: GPU | this run | counter, read by another process | ratio | power × time | processes | CPU |\n|---|---|---|---|---|---|---|---|---|\n")
	for i := range r.Rows {
		r.Rows[i].line(&b)
	}
	var doubts []string
	for i := range r.Rows {
		for _, w := range append(r.Rows[i].Warnings, r.Rows[i].Greenagent.Warnings...) {
			doubts = append(doubts, r.Rows[i].Load+": "+w)
		}
	}
	section("What greenagent warned of", doubts)
	if r.Conformance != "" {
		fmt.Fprintf(&b, "\n## Conformance\n\n```\n%s\n```\n", strings.TrimSpace(r.Conformance))
	}
	return b.Bytes()
}

func (r *row) line(b *bytes.Buffer) {
	d := &r.Greenagent
	ratio := "-"
	if r.Counter != nil && *r.Counter > 0 {
		ratio = fmt.Sprintf("%.4f", d.Energy.Joules()/r.Counter.Joules())
	}
	var parties []string
	for _, name := range slices.Sorted(maps.Keys(r.Parties)) {
		parties = append(parties, fmt.Sprintf("%s %v", name, r.Parties[name]))
	}
	fmt.Fprintf(b, "| %s | %.2f s | %s ± %s | %s | %s ± %s | %s | %s | %s | %.2f %% |\n", r.Load, time.Duration(r.Duration).Seconds(),
		known(d.Energy), known(d.Uncertainty), known(d.Run), known(r.Counter), known(r.CounterBound), ratio, known(r.Power), strings.Join(parties, ", "), 100*r.CPU)
}

func known(e *energy.Energy) string {
	if e == nil {
		return "-"
	}
	return e.String()
}
