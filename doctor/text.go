package doctor

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"greenagent/collector"
	"greenagent/exporter/prose"
)

// Style says how a report is shown.
type Style struct {
	// Color marks statuses with escape sequences, for a terminal.
	Color bool
}

// Write writes the report for a person: what is known of the machine's energy,
// then the checks, those alike of several GPUs as one.
func (r Report) Write(w io.Writer, style Style) error {
	p := &page{style: style}
	p.head(r.Host)
	p.domains(r.Domains)
	p.checks(r.Checks)
	p.verdict(r.Checks)
	_, err := io.WriteString(w, p.String())
	return err
}

// page collects the text; nothing of it fails.
type page struct {
	strings.Builder
	style Style
}

func (p *page) linef(format string, args ...any) { fmt.Fprintf(&p.Builder, format+"\n", args...) }

const (
	width     = 96  // where prose is broken
	mostProse = 800 // of characters that anybody wants to read
	mostName  = 60
)

// safe makes text fit for a terminal.
func safe(s string, n int) string {
	return prose.Shorten(prose.Printable(strings.Join(strings.Fields(s), " ")), n)
}

func (p *page) head(h Host) {
	parts := []string{safe(cmp.Or(h.Name, "this machine"), mostName)}
	add := func(known bool, text string) {
		if known {
			parts = append(parts, text)
		}
	}
	add(h.OS != "", safe(h.OS, mostName))
	add(h.Kernel != "", "Linux "+safe(h.Kernel, mostName))
	add(h.CPU != "", safe(h.CPU, mostName))
	add(h.CPUs > 0, fmt.Sprintf("%d logical CPUs", h.CPUs))
	add(h.Memory > 0, fmt.Sprintf("%.4g GiB", float64(h.Memory)/(1<<30)))
	add(h.Virtual, "virtual machine")
	add(h.Container, "in a container")
	for _, line := range prose.Wrap(strings.Join(parts, ", "), width) {
		p.linef("%s", line)
	}
	p.linef("")
}

var typeNames = map[string]string{"gpu": "GPU", "cpu": "CPU", "memory": "memory", "host": "whole machine"}

func (p *page) domains(domains []Domain) {
	t := tabwriter.NewWriter(&p.Builder, 0, 0, 3, ' ', 0)
	for _, d := range domains {
		by := d.By
		if d.State == Missing {
			by = d.Why
		}
		if d.Uncertainty != nil {
			by += fmt.Sprintf(", ±%.0f %%", 100*(*d.Uncertainty))
		}
		names := ""
		switch {
		case d.State == Modelled || len(d.Names) == 0:
		case d.Type == collector.GPU:
			names = counted(d.Names) + ": "
		default:
			names = strings.Join(d.Names, ", ") + ": "
		}
		kind := string(d.Type)
		fmt.Fprintf(t, "%s\t%s\t%s\n", cmp.Or(typeNames[kind], safe(kind, mostName)), safe(string(d.State), mostName), safe(names+by, 2*mostName))
	}
	_ = t.Flush() // into a strings.Builder: cannot fail
	p.linef("")
}

// group is the same finding about one or several devices.
type group struct {
	Check
	devices []string
}

// grouped joins checks that differ in their device alone.
func grouped(checks []Check) []group {
	var groups []group
	for _, c := range checks {
		i := slices.IndexFunc(groups, func(g group) bool {
			return c.device != "" && g.kind == c.kind && g.Status == c.Status && g.Summary == c.Summary && g.Remedy == c.Remedy
		})
		if i < 0 {
			groups = append(groups, group{Check: c})
			i = len(groups) - 1
		}
		if c.device != "" {
			groups[i].devices = append(groups[i].devices, c.device)
		}
	}
	return groups
}

// label is the id a group is shown under, and its summary, with the devices
// named where others fare better.
func (g *group) label(all int) (id, summary string) {
	id, summary = strings.Replace(g.kind, "<uuid>", "*", 1), g.Summary
	switch n := len(g.devices); {
	case n == 0 || all == 1:
	case n == all:
		summary = fmt.Sprintf("all %d: %s", n, summary)
	case g.Status == Pass:
		summary = fmt.Sprintf("%d of %d: %s", n, all, summary)
	default:
		summary = fmt.Sprintf("%d of %d: %s (%s)", n, all, summary, strings.Join(g.devices, ", "))
	}
	return id, summary
}

func (p *page) checks(checks []Check) {
	devices := map[string]bool{}
	for _, c := range checks {
		if c.device != "" {
			devices[c.device] = true
		}
	}
	column := 0
	for _, k := range kinds {
		column = max(column, len(strings.Replace(k.ID, "<uuid>", "*", 1)))
	}
	const statusWidth = 4
	indent := statusWidth + 2 + column + 2
	for _, g := range grouped(checks) {
		id, summary := g.label(len(devices))
		for i, line := range prose.Wrap(safe(summary, mostProse), width-indent) {
			if i == 0 {
				p.linef("%s  %-*s  %s", p.status(g.Status), column, id, line)
			} else {
				p.linef("%*s%s", indent, "", line)
			}
		}
		if g.Status == Pass {
			continue
		}
		for _, line := range prose.Wrap(safe(g.Detail, mostProse), width-indent) {
			p.linef("%*s%s", indent, "", line)
		}
		if g.Remedy != "" {
			// Never broken: it is there to be copied.
			p.linef("%*s$ %s", indent, "", safe(g.Remedy, mostProse))
		}
	}
}

// Escape sequences (ECMA-48, select graphic rendition) of the statuses.
var colors = [...]string{Pass: "\x1b[32m", Info: "\x1b[36m", Warn: "\x1b[33m", Fail: "\x1b[31m"}

func (p *page) status(s Status) string {
	if !p.style.Color {
		return s.String()
	}
	return colors[s] + s.String() + "\x1b[0m"
}

func (p *page) verdict(checks []Check) {
	var count [len(statusNames)]int
	for _, c := range checks {
		count[c.Status]++
	}
	text := fmt.Sprintf("%d checks, nothing to mend", len(checks))
	if count[Warn]+count[Fail] > 0 {
		text = fmt.Sprintf("%d checks: %d FAIL, %d WARN", len(checks), count[Fail], count[Warn])
	}
	p.linef("\n%s", text)
}
