package doctor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"greenagent/collector"
)

// Schema names the form of a report's JSON; it changes when a field's name or
// meaning does.
const Schema = "greenagent.doctor/1"

// Status is what came of a check.
type Status uint8

// The statuses, from good to bad.
const (
	// Pass: as it should be.
	Pass Status = iota
	// Info: worth knowing, nothing to mend.
	Info
	// Warn: greenagent works, and knows less than it could.
	Warn
	// Fail: something is broken.
	Fail
)

var statusNames = [...]string{Pass: "PASS", Info: "INFO", Warn: "WARN", Fail: "FAIL"}

// String returns the name used in reports.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("Status(%d)", uint8(s))
}

// MarshalText implements encoding.TextMarshaler.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Status) UnmarshalText(text []byte) error {
	i := slices.Index(statusNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("status %q: want PASS, INFO, WARN or FAIL", text)
	}
	*s = Status(i)
	return nil
}

// Exit returns the exit status that stands for s: 2 for Fail, 1 for Warn, else 0.
func (s Status) Exit() int {
	switch s {
	case Fail:
		return 2
	case Warn:
		return 1
	}
	return 0
}

// Check is one finding. Texts may hold what hardware and other people's
// processes call themselves: whoever prints them must expect escape sequences.
type Check struct {
	ID      string `json:"id"` // stable: one of Kinds, with the device's UUID in its place
	Status  Status `json:"status"`
	Summary string `json:"summary"` // what is
	Detail  string `json:"detail"`  // what it means and why, "" if there is no more to say
	Remedy  string `json:"remedy"`  // the command that mends it, "" if none does

	kind   string // the ID without its device
	device string // UUID, "" for what is not about one
}

// State says how the energy of a domain is known.
type State string

// The states.
const (
	Measured State = "measured"
	Modelled State = "modelled"
	Missing  State = "missing"
)

// Domain is a part of the machine whose energy is known in one way. There are
// several of one type where parts of it differ, as when one GPU of eight is lost.
type Domain struct {
	Type  collector.Type `json:"type"`
	State State          `json:"state"`
	Names []string       `json:"names"` // of the devices, as the platform has them
	By    string         `json:"by"`    // what measures or models it, "" if missing
	Why   string         `json:"why"`   // why it is missing, what a model assumes
	// Uncertainty of its energy, relative, expanded (k = 2, about 95 %); null if
	// missing.
	Uncertainty *float64 `json:"uncertainty"`
}

// Host is the machine, as far as it is known.
type Host struct {
	Name      string `json:"name"`
	OS        string `json:"os"`
	Kernel    string `json:"kernel"`
	CPU       string `json:"cpu"`
	CPUs      int    `json:"cpus"` // logical, 0 unknown
	Memory    int64  `json:"memory_bytes"`
	Virtual   bool   `json:"virtual"`
	Container bool   `json:"container"`
}

// Report is what an examination found.
type Report struct {
	Schema  string   `json:"schema"`
	Status  Status   `json:"status"` // the worst of the checks'
	Host    Host     `json:"host"`
	Domains []Domain `json:"domains"`
	Checks  []Check  `json:"checks"` // in the order of Kinds
}

// Encode writes the report as JSON.
func (r Report) Encode(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// complete puts checks in order and draws the conclusion.
func (r *Report) complete() {
	r.Schema = Schema
	slices.SortStableFunc(r.Checks, func(a, b Check) int { return cmp.Compare(place(a.kind), place(b.kind)) })
	for _, c := range r.Checks {
		r.Status = max(r.Status, c.Status)
	}
}

// merge joins domains that differ in their names alone.
func merge(domains []Domain) []Domain {
	merged := []Domain{}
	for _, d := range domains {
		i := slices.IndexFunc(merged, func(m Domain) bool {
			return m.Type == d.Type && m.State == d.State && m.By == d.By && m.Why == d.Why && equal(m.Uncertainty, d.Uncertainty)
		})
		if i < 0 {
			merged = append(merged, d)
			continue
		}
		merged[i].Names = append(merged[i].Names, d.Names...)
	}
	return merged
}

func equal(a, b *float64) bool { return a == b || a != nil && b != nil && *a == *b }
