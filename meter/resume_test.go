//go:build linux && cgo

package meter_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenagent/attribution"
	"greenagent/energy"
	"greenagent/meter"
)

// remembered is how far the ring of the GPU without a counter reaches back.
const remembered = 120 * 20 * ms

const thisBoot = "6b0f0b2e-0000-4000-8000-000000000001"

// leave ends the meter and hands over what it knows through a file, as another
// process would find it.
func (l *life) leave() *meter.Checkpoint {
	l.t.Helper()
	l.end()
	return handedOver(l.t, l.meter.Checkpoint(thisBoot))
}

func handedOver(t testing.TB, c *meter.Checkpoint) *meter.Checkpoint {
	t.Helper()
	path := filepath.Join(t.TempDir(), "checkpoint.json")
	for range 2 { // over the first, too
		if err := c.WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("files left: %v, %v", left, err)
	}
	read, err := meter.ReadCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(c, read); d != "" {
		t.Fatalf("written and read (-written +read):\n%s", d)
	}
	return read
}

// goOn goes on from a checkpoint.
func (l *life) goOn(c *meter.Checkpoint, boot string) {
	l.last = attribution.Snapshot{}
	l.meter = meter.Resume(meter.Config{Clock: l.stage, From: l.Now(), Reserved: theRun}, c, boot)
}

// grown checks that nothing decreased from one state to a later one.
func grown(t testing.TB, before, after attribution.Snapshot) {
	t.Helper()
	for _, b := range before.Domains {
		found := false
		for _, a := range after.Domains {
			if a.ID != b.ID {
				continue
			}
			found = true
			if a.Energy < b.Energy || a.Idle < b.Idle || a.Unattributed < b.Unattributed || a.Unobserved < b.Unobserved || a.Rejected < b.Rejected || a.Resets < b.Resets {
				t.Errorf("%s decreased: %+v became %+v", b.ID, b, a)
			}
			for _, o := range b.Owners {
				if now := a.Of(o.Owner); now.Dynamic < o.Dynamic || now.Idle < o.Idle {
					t.Errorf("%s: owner %d decreased: %+v became %+v", b.ID, o.Owner, o, now)
				}
			}
		}
		if !found {
			t.Errorf("%s is gone", b.ID)
		}
	}
}

// TestResumeInTheSameBoot: what was used while nobody measured is told by the
// counter, exactly, and is nobody's; without a counter the time is unobserved.
func TestResumeInTheSameBoot(t *testing.T) {
	live(t, twoBusy(), func(l *life) {
		l.open()
		time.Sleep(5*time.Second + 13*ms)
		c := l.leave()
		before := l.last
		time.Sleep(4 * time.Second)
		l.goOn(c, thisBoot)
		kept := l.meter.Snapshot()
		grown(t, before, kept)
		l.open()
		time.Sleep(6 * time.Second)
		s := l.end()
		grown(t, before, s)
		if s.Interval.Start != before.Interval.Start {
			t.Errorf("measured from %d, before from %d", s.Interval.Start, before.Interval.Start)
		}
		counted, integrated := &s.Domains[0], &s.Domains[1]
		l.covered(counted, 0)
		l.covered(integrated, 4*time.Second-remembered)
		within(t, "counted", counted.Energy, l.truth(counted, s.Interval), 1e-4)
		gap := l.node.Devices[0].Energy(5*time.Second+13*ms, 9*time.Second+13*ms)
		within(t, "while away", counted.AwayEnergy, gap, 0.05)
		if counted.Unattributed != counted.AwayEnergy || counted.Away < 4*time.Second || counted.Away > 4200*ms || counted.Basis != energy.Counted {
			t.Errorf("away for %v with %v, unattributed %v, basis %v", counted.Away, counted.AwayEnergy, counted.Unattributed, counted.Basis)
		}
		if !strings.Contains(strings.Join(counted.Warnings, "\n"), "while greenagent was away: nobody's") {
			t.Errorf("warnings %q", counted.Warnings)
		}
	})
}

// TestResumeAgainAndAgain: many short absences lose nothing either.
func TestResumeAgainAndAgain(t *testing.T) {
	live(t, twoBusy(), func(l *life) {
		l.open()
		for i := range 12 {
			time.Sleep(time.Duration(300+i*67) * ms)
			c := l.leave()
			before := l.last
			time.Sleep(time.Duration(i*23) * ms)
			l.goOn(c, thisBoot)
			l.open()
			grown(t, before, l.meter.Snapshot())
		}
		time.Sleep(2 * time.Second)
		s := l.end()
		within(t, "counted", s.Domains[0].Energy, l.truth(&s.Domains[0], s.Interval), 0.002)
		l.covered(&s.Domains[0], 0)
	})
}

// TestResumeAfterCrash: from a checkpoint taken while the meter ran on, what was
// measured since is used while away.
func TestResumeAfterCrash(t *testing.T) {
	live(t, twoBusy(), func(l *life) {
		l.open()
		time.Sleep(5 * time.Second)
		c := handedOver(t, l.meter.Checkpoint(thisBoot))
		seen := l.meter.Snapshot()
		time.Sleep(3 * time.Second)
		l.end() // as by SIGKILL: nobody reads this
		l.goOn(c, thisBoot)
		grown(t, seen, l.meter.Snapshot())
		l.open()
		time.Sleep(3 * time.Second)
		s := l.end()
		within(t, "counted", s.Domains[0].Energy, l.truth(&s.Domains[0], s.Interval), 1e-4)
		if d := s.Domains[0]; d.Away < 3*time.Second || d.Away > 5500*ms {
			t.Errorf("away for %v", d.Away)
		}
	})
}

// TestResumeUnderAnotherDriver: its counter has started anew.
func TestResumeUnderAnotherDriver(t *testing.T) {
	live(t, twoBusy(), func(l *life) {
		l.open()
		time.Sleep(5 * time.Second)
		c := l.leave()
		for i := range c.Feeds {
			for j := range c.Feeds[i].Domains {
				c.Feeds[i].Domains[j].Domain.Driver = "535.183.01"
			}
		}
		time.Sleep(20 * time.Second) // longer than the driver's ring remembers
		l.goOn(c, thisBoot)
		l.open()
		time.Sleep(5 * time.Second)
		s := l.end()
		l.covered(&s.Domains[1], 20*time.Second-remembered)
		d := &s.Domains[0]
		truth := l.truth(d, s.Interval)
		if u := d.Uncertainty.Expanded(); d.Energy > truth+truth/200 || d.Energy+u < truth || d.Unobserved+d.Away < 19*time.Second {
			t.Errorf("%v ± %v of %v, %v unobserved, %v away", d.Energy, u, truth, d.Unobserved, d.Away)
		}
	})
}

// TestResumeAfterReboot: totals go on, the time away is not counted, and no process
// inherits from another's number.
func TestResumeAfterReboot(t *testing.T) {
	live(t, twoBusy(), func(l *life) {
		l.open()
		time.Sleep(5 * time.Second)
		c := l.leave()
		before := l.last
		time.Sleep(time.Minute)
		l.goOn(c, "another boot")
		l.open()
		back := l.now()
		time.Sleep(5 * time.Second)
		s := l.end()
		grown(t, before, s)
		for i := range s.Domains {
			d := &s.Domains[i]
			node := &l.node.Devices[i]
			truth := node.Energy(0, 5*time.Second) + node.Energy(back, back+5*time.Second)
			within(t, d.ID, d.Energy, truth, 0.005)
			if d.Away > time.Second || d.Unobserved > 100*ms {
				t.Errorf("%s: %v away, %v unobserved", d.ID, d.Away, d.Unobserved)
			}
		}
		if n := s.Interval.Duration(); n < 9*time.Second || n > 11*time.Second {
			t.Errorf("an interval of %v", n)
		}
		rows := map[int]int{}
		for _, p := range s.Processes {
			rows[p.Process.PID]++
		}
		if rows[0] == 0 || rows[42] != 1 {
			t.Errorf("processes: %v", rows)
		}
	})
}

// TestResumeWithoutSource: a feed that nobody adds again keeps what it had, and its
// time goes on unobserved.
func TestResumeWithoutSource(t *testing.T) {
	live(t, twoBusy(), func(l *life) {
		l.open()
		time.Sleep(5 * time.Second)
		c := l.leave()
		before := l.last
		l.goOn(c, thisBoot)
		again := handedOver(t, l.meter.Checkpoint(thisBoot))
		time.Sleep(2 * time.Second)
		l.goOn(again, thisBoot)
		time.Sleep(2 * time.Second)
		s := l.end()
		grown(t, before, s)
		for i := range s.Domains {
			if s.Domains[i].Energy != before.Domains[i].Energy {
				t.Errorf("%v became %v", before.Domains[i].Energy, s.Domains[i].Energy)
			}
			l.covered(&s.Domains[i], 4*time.Second)
		}
	})
}

// TestResumeWithOtherDevices: one that is gone keeps its figures, one that is new
// was not observed before.
func TestResumeWithOtherDevices(t *testing.T) {
	node := twoBusy()
	node.Devices[0].Added = -time.Hour
	live(t, node, func(l *life) {
		l.open()
		time.Sleep(5 * time.Second)
		c := l.leave()
		gone := &c.Feeds[0].Domains[0]
		gone.Domain.ID = "gpu:GPU-gone"
		l.goOn(c, thisBoot)
		l.open()
		time.Sleep(5 * time.Second)
		s := l.end()
		if len(s.Domains) != 3 {
			t.Fatalf("%d domains", len(s.Domains))
		}
		for _, d := range s.Domains {
			switch d.ID {
			case "gpu:GPU-gone":
				if d.Unobserved < 5*time.Second || d.Energy == 0 {
					t.Errorf("%s: %v, %v unobserved", d.ID, d.Energy, d.Unobserved)
				}
			case "gpu:GPU-0":
				// Of the time before, its ring remembers; the rest is unobserved.
				if d.Energy == 0 || d.Away != 0 {
					t.Errorf("%s: %v, %v away", d.ID, d.Energy, d.Away)
				}
			}
		}
	})
}

func TestCheckpointRefused(t *testing.T) {
	var good bytes.Buffer
	live(t, twoBusy(), func(l *life) {
		l.open()
		time.Sleep(2 * time.Second)
		if err := l.leave().Encode(&good); err != nil {
			t.Fatal(err)
		}
	})
	text := good.String()
	for name, bad := range map[string]string{
		"empty":            "",
		"no object":        "[]",
		"cut off":          text[:len(text)/2],
		"more after it":    text + "{}",
		"another version":  strings.Replace(text, `"version":1`, `"version":2`, 1),
		"an unknown field": strings.Replace(text, `"version":1`, `"version":1,"extra":0`, 1),
		"imbalance":        strings.Replace(text, `"Unattributed":0`, `"Unattributed":1`, 1),
		"a negative":       strings.Replace(text, `"rejected":0`, `"rejected":-1`, 1),
		"no domain":        strings.Replace(text, `"ID":"gpu:GPU-0"`, `"ID":""`, 1),
		"one twice":        strings.Replace(text, `"ID":"gpu:GPU-0"`, `"ID":"gpu:GPU-1"`, 1),
		"a year too late":  strings.Replace(text, `"from_ns":`, `"from_ns":9`, 1),
	} {
		if bad == text {
			t.Errorf("%s: is the good one", name)
		}
		if c, err := meter.DecodeCheckpoint(strings.NewReader(bad)); !errors.Is(err, meter.ErrCheckpoint) || c != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := meter.ReadCheckpoint(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// FuzzCheckpoint: what is accepted can be gone on from and written down again as it
// was.
func FuzzCheckpoint(f *testing.F) {
	f.Add([]byte(`{"version":1,"boot":"b","taken":"2026-01-01T00:00:00Z","from_ns":5,"at_ns":9,"feeds":[]}`))
	f.Add([]byte(`{"version":1,"boot":"b","taken":"2026-01-01T00:00:00Z","from_ns":5,"at_ns":9,"feeds":[{"name":"NVML","domains":[` +
		`{"domain":{"ID":"gpu:0","Type":"gpu","Basis":"counted","Counter":true},"basis":"counted","booked_ns":9,"mark":{"At":9,"Value":12.5},` +
		`"uncertainty":{"Systematic":1,"Variance":2},"unobserved_ns":0,"rejected":0,"resets":0,"peak_w":1,"floor_w":0,"away_ns":0,"away_j":0}],` +
		`"ledger":{"Balances":[{"Energy":3,"Idle":1,"Unattributed":0.5,"Methods":[0,0,0,0,0]}],` +
		`"Rows":[{"Process":{"PID":4,"Start":5},"Owner":1,"Command":"YQ==","Entries":[{"Dynamic":1.5,"Idle":0,"Variance":7}]}]},"failures":[{"message":"m","count":1,"for_ns":3}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := meter.DecodeCheckpoint(bytes.NewReader(text))
		if err != nil {
			if !errors.Is(err, meter.ErrCheckpoint) {
				t.Fatalf("%v is no ErrCheckpoint", err)
			}
			return
		}
		clock := newVirtual()
		for _, boot := range []string{c.Boot, "another"} {
			m := meter.Resume(meter.Config{Clock: clock, From: 1 << 60}, c, boot)
			again := m.Checkpoint(c.Boot)
			var b bytes.Buffer
			if err := again.Encode(&b); err != nil {
				t.Fatal(err)
			}
			if _, err := meter.DecodeCheckpoint(&b); err != nil && boot == c.Boot && c.Boot != "" && c.At <= again.At {
				t.Fatalf("%v, of what was gone on from", err)
			}
			m.Finish(clock.Now(), 0)
		}
	})
}
