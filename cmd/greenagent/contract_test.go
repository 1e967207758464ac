//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"greenagent/energy"
	"greenagent/exporter/report"
)

// contract is greenagent.run/1: every key that others rely on, and what it may
// hold. "*" stands for each element of a list or each key of a mapping. Types are
// those of JSON; "time" is RFC 3339 with a zone; "joules" a number without a part
// smaller than a microjoule.
var contract = map[string]string{
	"schema": "string", "id": "string", "name": "string",
	"tags": "object", "tags.*": "string", "command": "array", "command.*": "string",
	"exit": "object", "exit.code": "integer", "exit.signal": "string null",
	"start": "time", "end": "time", "duration_s": "number", "complete": "boolean",
	"host": "object", "host.name": "string null", "host.os": "string null", "host.kernel": "string null", "host.cpu": "string null",
	"host.cpus": "integer null", "host.memory_bytes": "integer null",

	"domains": "array", "domains.*": "object",
	"domains.*.id": "string", "domains.*.type": "string", "domains.*.name": "string",
	"domains.*.driver": "string null", "domains.*.scope": "string null", "domains.*.power_limit_w": "number null",
	"domains.*.basis": "string", "domains.*.energy_j": "joules null", "domains.*.uncertainty_j": "joules null",
	"domains.*.run_j": "joules null", "domains.*.run_uncertainty_j": "joules null", "domains.*.run_idle_j": "joules null",
	"domains.*.others_j": "joules null", "domains.*.idle_j": "joules null", "domains.*.unattributed_j": "joules null",
	"domains.*.mean_w": "number null", "domains.*.max_w": "number null", "domains.*.unobserved_s": "number null",
	"domains.*.crosscheck": "number null", "domains.*.warnings": "array", "domains.*.warnings.*": "string",

	"processes": "array", "processes.*": "object", "processes.*.pid": "integer", "processes.*.start": "time null",
	"processes.*.command": "string", "processes.*.energy_j": "object", "processes.*.energy_j.*": "joules",

	"energy": "object", "energy.run_j": "joules null", "energy.run_idle_j": "joules null",
	"energy.uncertainty_j": "joules null", "energy.boundary": "string", "energy.idle_policy": "string",

	"emissions": "object", "emissions.operational_g": "number null", "emissions.low_g": "number null",
	"emissions.high_g": "number null", "emissions.market_g": "null", "emissions.embodied_g": "null", // of later capabilities
	"emissions.zone": "string null", "emissions.intensity_g_per_kwh": "number null",
	"emissions.factor": "object null", "emissions.factor.source": "string", "emissions.factor.year": "integer",
	"emissions.factor.basis": "string", "emissions.factor.kind": "string", "emissions.factor.estimated": "boolean",
	"emissions.pue": "number", "emissions.pue_source": "string",

	"units": "object", "units.*": "object", "units.*.count": "number", "units.*.j_per_unit": "number null",
	"units.*.g_per_unit": "number null",
	"marks":              "array", "warnings": "array", "warnings.*": "string",

	// Beyond the contract.
	"missing": "array", "missing.*": "object", "missing.*.type": "string", "missing.*.reason": "string",
	"domains.*.method": "string", "domains.*.confidence": "string null", "domains.*.run_context_j": "joules null",
	"domains.*.unallocated_j":   "joules null",
	"processes.*.uncertainty_j": "object", "processes.*.uncertainty_j.*": "joules",
	"domains.*.calibration":      "object null",
	"domains.*.calibration.gain": "number", "domains.*.calibration.offset_w": "number", "domains.*.calibration.uncertainty": "number",
}

// TestRecordIsTheContract walks the record of a real run.
func TestRecordIsTheContract(t *testing.T) {
	t.Parallel()
	m := measure(t, nil, "--zone", "FR", "--tag", "team=vision", "--units", "steps=10", "--name", "test", "--", "burn", "300ms")
	var document map[string]any
	d := json.NewDecoder(bytes.NewReader(m.text))
	d.UseNumber()
	if err := d.Decode(&document); err != nil {
		t.Fatal(err)
	}
	var problems []string
	seen := map[string]bool{}
	walk("", document, func(path string, value any) {
		seen[path] = true
		types, known := contract[path]
		if !known {
			problems = append(problems, path+": not in the contract")
		} else if !fits(value, strings.Fields(types)) {
			problems = append(problems, fmt.Sprintf("%s: %v is not %s", path, value, types))
		}
	})
	for path := range contract {
		if !seen[path] && !strings.HasPrefix(path, "warnings.") && !strings.HasPrefix(path, "missing.") && !strings.HasPrefix(path, "domains.*.calibration.") {
			problems = append(problems, path+": missing")
		}
	}
	sort.Strings(problems)
	for _, p := range problems {
		t.Error(p)
	}
	for path, want := range map[string]any{"schema": "greenagent.run/1", "name": "test", "complete": true} {
		if document[path] != want {
			t.Errorf("%s is %v, want %v", path, document[path], want)
		}
	}
}

// walk visits every value below one, with its path in the contract's form.
func walk(path string, value any, visit func(string, any)) {
	if path != "" {
		visit(path, value)
	}
	below := func(key string) string { return strings.TrimPrefix(path+"."+key, ".") }
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if open := contract[below("*")]; open != "" {
				key = "*"
			}
			walk(below(key), inner, visit)
		}
	case []any:
		for _, inner := range v {
			walk(below("*"), inner, visit)
		}
	}
}

func fits(value any, types []string) bool {
	return slices.ContainsFunc(types, func(kind string) bool {
		switch v := value.(type) {
		case nil:
			return kind == "null"
		case bool:
			return kind == "boolean"
		case string:
			at, err := time.Parse(time.RFC3339, v)
			return kind == "string" || kind == "time" && err == nil && at.Year() > 2000
		case json.Number:
			switch kind {
			case "integer":
				_, err := v.Int64()
				return err == nil
			case "joules":
				_, err := microjoules(v.String())
				return err == nil
			}
			return kind == "number"
		case []any:
			return kind == "array"
		case map[string]any:
			return kind == "object"
		}
		return false
	})
}

// sums checks the accounts of a record: parts make up their domain exactly, the
// processes make up the run's share, and the shares of domains the total.
func sums(t *testing.T, m measured) {
	t.Helper()
	var record struct {
		Domains []struct {
			ID, Type string
			Basis    string
			Energy   json.Number `json:"energy_j"`
			Run      json.Number `json:"run_j"`
			RunIdle  json.Number `json:"run_idle_j"`
			Others   json.Number `json:"others_j"`
			Idle     json.Number `json:"idle_j"`
			Nobody   json.Number `json:"unattributed_j"`
		}
		Processes []struct {
			PID    int                    `json:"pid"`
			Energy map[string]json.Number `json:"energy_j"`
		}
		Energy struct {
			Run     json.Number `json:"run_j"`
			RunIdle json.Number `json:"run_idle_j"`
		}
	}
	if err := json.Unmarshal(m.text, &record); err != nil {
		t.Fatal(err)
	}
	exact := func(n json.Number) energy.Energy {
		e, err := microjoules(n.String())
		if err != nil || e < 0 {
			t.Errorf("%v, %v: want an energy", e, err)
		}
		return e
	}
	var run, runIdle energy.Energy
	for _, d := range record.Domains {
		if d.Basis == energy.Unknown.String() {
			continue
		}
		whole, mine := exact(d.Energy), exact(d.Run)+exact(d.RunIdle)
		if parts := mine + exact(d.Others) + exact(d.Idle) + exact(d.Nobody); parts != whole {
			t.Errorf("%s: its parts sum to %d µJ, it is %d µJ", d.ID, parts, whole)
		}
		var processes energy.Energy
		for _, p := range record.Processes {
			if e, ok := p.Energy[d.ID]; ok {
				processes += exact(e)
			}
		}
		if processes != mine {
			t.Errorf("%s: the processes sum to %d µJ, the run is %d µJ", d.ID, processes, mine)
		}
		if d.Type != "host" {
			run, runIdle = run+exact(d.Run), runIdle+exact(d.RunIdle)
		}
	}
	if record.Energy.Run != "" && (exact(record.Energy.Run) != run || exact(record.Energy.RunIdle) != runIdle) {
		t.Errorf("the total is %s + %s J, the domains sum to %d + %d µJ", record.Energy.Run, record.Energy.RunIdle, run, runIdle)
	}
}

// TestAccountsSum: to the microjoule, under every policy for idle energy.
func TestAccountsSum(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"none", "equal", "memory", "reserved"} {
		m := measure(t, nil, "--idle-policy", policy, "--interval", "100ms", "--", "sh", "-c", "burn 100ms & burn 200ms; wait")
		sums(t, m)
		if m.record.Energy.Run == nil || *m.record.Energy.Run == 0 {
			t.Errorf("%s: no energy\n%s", policy, m.text)
		}
		if idle := *m.record.Energy.RunIdle; (policy == "none") != (idle == 0) {
			t.Errorf("%s: the run pays %v for idle", policy, idle)
		}
	}
}

// TestReportIsTheRecord: the text says what the record says, word by word, and its
// total is the record's.
func TestReportIsTheRecord(t *testing.T) {
	t.Parallel()
	m := measure(t, nil, "--zone", "SE", "--pue", "1.2", "--units", "steps=7", "--", "burn", "300ms")
	written := regexp.MustCompile(`Written to +(\S+)\n`).FindStringSubmatch(m.stderr)
	if written == nil {
		t.Fatalf("no file in the report\n%s", m.stderr)
	}
	var again strings.Builder
	if err := report.Write(&again, m.record, written[1]); err != nil {
		t.Fatal(err)
	}
	if again.String() != m.stderr {
		t.Errorf("the report of the record is\n%s\nthat of the run was\n%s", again.String(), m.stderr)
	}

	total := regexp.MustCompile(`(?m)^Energy +([0-9.]+)(?: ± ([0-9.]+))? (µJ|mJ|J|kJ),`).FindStringSubmatch(m.stderr)
	if total == nil {
		t.Fatalf("no total in the report\n%s", m.stderr)
	}
	unit := map[string]energy.Energy{"µJ": energy.Microjoule, "mJ": energy.Millijoule, "J": energy.Joule, "kJ": energy.Kilojoule}[total[3]]
	shown := func(text string) energy.Energy {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return energy.Energy(v * float64(unit))
	}
	u := *m.record.Energy.Uncertainty
	// The uncertainty is shown with two digits, the figure to the same place.
	if got, want := shown(total[1]), *m.record.Energy.Run+*m.record.Energy.RunIdle; apart(got, want) > u/10 {
		t.Errorf("the report's total is %v, the record's %v", got, want)
	}
	if got := shown(total[2]); apart(got, u) > u/10 {
		t.Errorf("the report's uncertainty is %v, the record's %v", got, u)
	}
}

// TestModelledSaysSo: nothing that was modelled passes for measured.
func TestModelledSaysSo(t *testing.T) {
	t.Parallel()
	// A machine without sensors: the CPU's and the memory's figures are modelled.
	m := measure(t, nil, "--sys-root", t.TempDir(), "--", "burn", "200ms")
	for _, kind := range []string{"cpu", "memory"} {
		d := m.domain(t, kind)
		if d.Basis != energy.Modelled || !slices.ContainsFunc(d.Warnings, func(w string) bool { return strings.Contains(w, "modelled") }) {
			t.Errorf("%s: basis %v, warnings %q", kind, d.Basis, d.Warnings)
		}
		if u, e := *d.Uncertainty, *d.Energy; u < e/4 {
			t.Errorf("%s: %v ± %v is no model's uncertainty", kind, e, u)
		}
	}
	lines := regexp.MustCompile(`(?m)^(CPU|Memory) .*$`).FindAllString(m.stderr, -1)
	if len(lines) < 2 || slices.ContainsFunc(lines, func(l string) bool { return !strings.HasSuffix(l, "modelled") }) {
		t.Errorf("lines of devices: %q\n%s", lines, m.stderr)
	}
	if !strings.Contains(m.stderr, "modelled, nothing was measured") || strings.Contains(m.stderr, "measured: ") {
		t.Errorf("the total does not say that it is modelled\n%s", m.stderr)
	}
}

// TestRecordHoldsNoSecrets: of the environment nothing is kept.
func TestRecordHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	m := measure(t, []string{"API_TOKEN=" + secret}, "--", "sh", "-c", "test -n $API_TOKEN")
	if bytes.Contains(m.text, []byte(secret)) || strings.Contains(m.stderr, secret) {
		t.Errorf("a variable of the environment is in the record\n%s", m.text)
	}
}

// TestTimes: the record's times are those of the run.
func TestTimes(t *testing.T) {
	t.Parallel()
	before := time.Now()
	m := measure(t, nil, "--", "sleep", "0.3")
	after := time.Now()
	r := m.record
	const step = 100 * time.Millisecond // the wall clock may be disciplined meanwhile
	if r.Start.Before(before.Add(-step)) || r.End.After(after.Add(step)) {
		t.Errorf("from %v to %v, want within %v and %v", r.Start, r.End, before, after)
	}
	if d := time.Duration(r.Duration); d < 300*time.Millisecond || d > after.Sub(before) || (r.End.Sub(r.Start)-d).Abs() > time.Millisecond {
		t.Errorf("%v from %v to %v", d, r.Start, r.End)
	}
	for _, p := range r.Processes {
		if p.Start == nil || p.Start.Before(r.Start.Add(-step)) || p.Start.After(r.End.Add(step)) {
			t.Errorf("process %d started at %v, the run at %v", p.PID, p.Start, r.Start)
		}
	}
}
