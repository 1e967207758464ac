// Package report tells a run to a person: a page of plain text.
//
// It says the total first, then each device with how its figure was obtained,
// then emissions with their provenance, then work done, files and caveats.
package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"greenagent/energy"
	"greenagent/exporter/prose"
	"greenagent/exporter/runfile"
)

// Write writes the report of a run. files are the paths it was written to.
func Write(w io.Writer, r runfile.Run, files ...string) error {
	p := &page{}
	p.head(r)
	p.total(r)
	p.devices(r)
	p.emissions(r)
	p.units(r)
	if len(files) > 0 {
		p.item("Written to", prose.Printable(strings.Join(files, ", ")))
	}
	p.notes(r)
	_, err := io.WriteString(w, p.String())
	return err
}

// page collects the text; nothing of it fails.
type page struct{ strings.Builder }

func (p *page) linef(format string, args ...any) { fmt.Fprintf(&p.Builder, format+"\n", args...) }

// width is where lines of prose are broken.
const width = 96

// item writes a labelled paragraph.
func (p *page) item(label, text string) {
	for i, line := range prose.Wrap(text, width-labelWidth) {
		if i > 0 {
			label = ""
		}
		p.linef("%-*s%s", labelWidth, label, line)
	}
}

const labelWidth = 13

func (p *page) head(r runfile.Run) {
	exit := fmt.Sprintf("exit %d", r.Exit.Code)
	if r.Exit.Signal != nil {
		exit = fmt.Sprintf("killed by %s, exit %d", *r.Exit.Signal, r.Exit.Code)
	}
	name := r.Name
	if name == "" {
		name = strings.Join(r.Command, " ")
	}
	p.linef("\ngreenagent: %s, %s, %s", prose.Line(name, 60), exit, duration(time.Duration(r.Duration)))
}

func (p *page) total(r runfile.Run) {
	if r.Energy.Run == nil {
		p.item("Energy", "unknown: "+absence(r))
		return
	}
	sum := *r.Energy.Run + *r.Energy.RunIdle
	text := sum.PlusMinus(*r.Energy.Uncertainty)
	if d := time.Duration(r.Duration); d > 0 {
		text += ", mean " + sum.Over(d).String()
	}
	p.item("Energy", text)
	var parts []string
	for part := range strings.SplitSeq(r.Energy.Boundary, "+") {
		parts = append(parts, label(part, ""))
	}
	text = strings.Join(parts, " + ")
	p.item("", text+": "+bases(r))
}

// absence says why no energy is known at all.
func absence(r runfile.Run) string {
	if time.Duration(r.Duration) < 50*time.Millisecond {
		return "the command was too short to be measured"
	}
	return "no sensor could be read here, see greenagent doctor"
}

// bases tells how much of the total is measured.
func bases(r runfile.Run) string {
	var measured, modelled energy.Energy
	sensors, models := 0, 0
	for _, d := range r.Domains {
		switch {
		case d.Run == nil || !r.Adds(&d):
		case d.Basis.Measured():
			measured += *d.Run + *d.RunIdle
			sensors++
		default:
			modelled += *d.Run + *d.RunIdle
			models++
		}
	}
	switch {
	case models == 0:
		return "measured"
	case sensors == 0:
		return "modelled, nothing was measured"
	case measured+modelled == 0:
		return "some measured, some modelled"
	}
	percent := 100 * measured.Joules() / (measured + modelled).Joules()
	switch {
	case percent > 99.5:
		return "over 99 % measured, the rest modelled"
	case percent < 0.5:
		return "under 1 % measured, the rest modelled"
	}
	return fmt.Sprintf("%.0f %% measured, the rest modelled", percent)
}

func (p *page) devices(r runfile.Run) {
	rows := table{{"", "this run", "idle in it", "of the device's", "others", "idle", "no owner", ""}}
	for i, d := range r.Domains {
		name := label(d.Type, number(r.Domains, i)+prose.Line(d.Name, 34))
		if d.Energy == nil {
			rows = append(rows, []string{name, "unknown", "", "", "", "", "", unread(d)})
			continue
		}
		rows = append(rows, []string{
			name, (*d.Run + *d.RunIdle).PlusMinus(*d.RunUncertainty), amount(*d.RunIdle), d.Energy.PlusMinus(*d.Uncertainty),
			amount(*d.Others), amount(*d.Idle), amount(*d.Unattributed), obtained(d),
		})
	}
	if len(r.Domains)+len(r.Missing) == 0 {
		return
	}
	p.linef("")
	if len(r.Domains) > 0 {
		p.WriteString(rows.String())
	}
	for _, m := range r.Missing {
		p.linef("%s: not measured, %s", label(m.Type, ""), prose.Printable(m.Reason))
	}
	p.linef("")
}

// number counts devices of one type where there are several, as their own tools
// do: "GPU 0".
func number(domains []runfile.Domain, i int) string {
	of, before := 0, 0
	for j, d := range domains {
		if d.Type == domains[i].Type {
			of++
			if j < i {
				before++
			}
		}
	}
	if of < 2 {
		return ""
	}
	return strconv.Itoa(before) + " "
}

// table is rows of cells, the first of them the heads.
type table [][]string

// String aligns the columns; those with nothing in them are left out.
func (t table) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	for _, row := range t {
		var cells []string
		for column, cell := range row {
			if column == 0 || t.says(column) {
				cells = append(cells, cell)
			}
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	_ = w.Flush() // into a strings.Builder: cannot fail
	return b.String()
}

// says reports whether a column has anything to say.
func (t table) says(column int) bool {
	return slices.ContainsFunc(t[1:], func(row []string) bool { return row[column] != "" && row[column] != "-" })
}

var typeLabels = map[string]string{"gpu": "GPU", "cpu": "CPU", "memory": "Memory", "host": "Host",
	"module": "whole module of GPU, CPU and memory"}

func label(kind, name string) string {
	l, ok := typeLabels[kind]
	if !ok {
		l = kind
	}
	return strings.TrimSpace(l + " " + name)
}

func amount(e energy.Energy) string {
	if e == 0 {
		return "-"
	}
	return e.String()
}

// unread says why a device has no figures: its own warnings say more.
func unread(d runfile.Domain) string {
	if len(d.Warnings) > 0 {
		return "see notes"
	}
	return "nothing was read"
}

// obtained says how a figure came about.
func obtained(d runfile.Domain) string {
	how := d.Basis.String()
	switch d.Basis {
	case energy.Counted:
		how = "measured: energy counter"
	case energy.Integrated:
		how = "measured: power integrated"
		if d.Scope != nil && *d.Scope == "module" {
			how = "measured: power of its module"
		}
	}
	return how + divided(d)
}

// divided says by what a GPU's energy is told apart from that of others, and how far
// that can be relied on. For CPUs and memory it is CPU time, always.
func divided(d runfile.Domain) string {
	switch {
	case d.Type != "gpu", d.Confidence == nil, d.Method == "none":
		return ""
	case d.Method == "sole":
		return fmt.Sprintf("; alone (%s)", *d.Confidence)
	}
	return fmt.Sprintf("; by %s (%s)", d.Method, *d.Confidence)
}

func (p *page) emissions(r runfile.Run) {
	e := r.Emissions
	switch {
	case e.Operational != nil:
		f := e.Factor
		p.item("Emissions", fmt.Sprintf("%s CO2e (%s to %s)", mass(*e.Operational), mass(*e.Low), mass(*e.High)))
		p.item("", fmt.Sprintf("%s %.4g g/kWh (%s %s of %d, %s) × PUE %.3g (%s)",
			*e.Zone, float64(*e.Intensity), f.Basis, f.Kind, f.Year, f.Source, *e.PUE, *e.PUESource))
	case e.Low != nil:
		p.item("Emissions", fmt.Sprintf("%s to %s CO2e, depending on where this is: tell with --zone, e.g. --zone FR", mass(*e.Low), mass(*e.High)))
	default:
		p.item("Emissions", "unknown, as the energy is")
	}
}

// mass formats emissions, which are rounded to the microgram.
func mass(c energy.Carbon) string {
	if c == 0 {
		return "under 1 µg"
	}
	return c.String()
}

func (p *page) units(r runfile.Run) {
	names := make([]string, 0, len(r.Units))
	for name := range r.Units {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		u := r.Units[name]
		text := count(u.Count)
		if u.Energy != nil {
			text += ", " + energy.JoulesFor(*u.Energy) + " each"
		}
		if u.Carbon != nil {
			text += ", " + energy.GramsFor(*u.Carbon) + " CO2e each"
		}
		p.item(prose.Shorten(prose.Printable(name), 12), text)
	}
}

// count formats an amount of work: whole numbers as such while they can be read.
func count(v float64) string {
	if v == math.Trunc(v) && v < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// maxNotes is how many caveats are shown; the run file has them all.
const maxNotes = 6

func (p *page) notes(r runfile.Run) {
	var notes []string
	for _, d := range r.Domains {
		for _, w := range d.Warnings {
			notes = append(notes, label(d.Type, "")+": "+w)
		}
	}
	notes = append(notes, r.Warnings...)
	// Eight cards in one state have one thing to say.
	var unique []string
	for _, n := range notes {
		if !slices.Contains(unique, n) {
			unique = append(unique, n)
		}
	}
	more := max(0, len(unique)-maxNotes)
	for i, n := range unique[:len(unique)-more] {
		l := ""
		if i == 0 {
			l = "Notes"
		}
		p.item(l, prose.Printable(n))
	}
	if more > 0 {
		p.item("", fmt.Sprintf("and %d more, in the run file (--json FILE)", more))
	}
}

func duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", float64(d)/1e6)
	case d < time.Minute:
		return fmt.Sprintf("%.3g s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
