package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"greenagent/collector"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	for s, want := range map[Status]struct {
		name string
		exit int
	}{Pass: {"PASS", 0}, Info: {"INFO", 0}, Warn: {"WARN", 1}, Fail: {"FAIL", 2}} {
		if s.String() != want.name || s.Exit() != want.exit {
			t.Errorf("%s exits with %d, want %s and %d", s, s.Exit(), want.name, want.exit)
		}
		var back Status
		if err := back.UnmarshalText([]byte(want.name)); err != nil || back != s {
			t.Errorf("%s becomes %s, %v", want.name, back, err)
		}
	}
	if new(Status).UnmarshalText([]byte("pass")) == nil {
		t.Error("pass is a status")
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	r := Report{Checks: []Check{
		check(zoneKnown, Info, "z", "", ""),
		check(gpuPower, Pass, "p", "", "").of("GPU-1"),
		check(gpuCounter, Warn, "c", "", "").of("GPU-1"),
		check(gpuPower, Pass, "p", "", "").of("GPU-2"),
		check(gpuCounter, Pass, "c", "", "").of("GPU-2"),
		check(buildCgo, Pass, "b", "", ""),
	}}
	r.complete()
	var ids []string
	for _, c := range r.Checks {
		ids = append(ids, c.ID)
	}
	want := []string{"build.cgo", "gpu.GPU-1.counter", "gpu.GPU-2.counter", "gpu.GPU-1.power", "gpu.GPU-2.power", "zone.known"}
	if d := cmp.Diff(want, ids); d != "" || r.Status != Warn || r.Schema != Schema {
		t.Errorf("%s, %s\n%s", r.Status, r.Schema, d)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	gpu := func(name string, u *float64) Domain {
		return Domain{Type: collector.GPU, State: Measured, By: "x", Names: []string{name}, Uncertainty: u}
	}
	got := merge([]Domain{gpu("A", expanded(0.1)), missing(collector.CPU, "y"), gpu("B", expanded(0.1)), gpu("C", expanded(0.2)), gpu("D", nil)})
	want := []Domain{
		{Type: collector.GPU, State: Measured, By: "x", Names: []string{"A", "B"}, Uncertainty: expanded(0.1)},
		missing(collector.CPU, "y"), gpu("C", expanded(0.2)), gpu("D", nil),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// What is written is what the contract says, and nothing is lost on the way.
func TestEncode(t *testing.T) {
	t.Parallel()
	want := examine(admit(t, server()))
	var b bytes.Buffer
	if err := want.Encode(&b); err != nil {
		t.Fatal(err)
	}
	var got Report
	d := json.NewDecoder(bytes.NewReader(b.Bytes()))
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Check{})); d != "" {
		t.Error(d)
	}
	var keys struct {
		Schema string
		Status string
		Checks []map[string]any
		// Arrays are never null.
		Domains []map[string]any
	}
	if err := json.Unmarshal(b.Bytes(), &keys); err != nil {
		t.Fatal(err)
	}
	for _, c := range keys.Checks {
		if len(c) != 5 || c["id"] == nil || c["status"] == nil || c["summary"] == nil || c["detail"] == nil || c["remedy"] == nil {
			t.Errorf("check %v", c)
		}
	}
	for _, d := range keys.Domains {
		if _, has := d["uncertainty"]; !has || d["names"] == nil || d["type"] == nil || d["state"] == nil {
			t.Errorf("domain %v", d)
		}
	}
	if err := want.Encode(full{}); err == nil {
		t.Error("a full disk goes unnoticed")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, fmt.Errorf("no space left") }
