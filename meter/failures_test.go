package meter

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"greenagent/energy"
	"greenagent/nvml"
)

// TestFailuresAreLoggedOnce: when they begin and when they are over, and at most once
// a minute if they come and go.
func TestFailuresAreLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	f := failures{log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})), feed: "NVML"}
	lost := fmt.Errorf("GPU-1: %w", nvml.ErrLost)
	at := energy.Instant(time.Hour)
	step := func(d time.Duration, err error) {
		f.note(reading, err, at)
		f.note(observing, nil, at) // another question, and well
		at = at.Add(d)
	}
	for range 100 {
		step(50*time.Millisecond, errors.Join(lost, nvml.ErrHung))
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines for two failures:\n%s", n, &log)
	}
	for range 100 {
		step(50*time.Millisecond, nil)
		step(50*time.Millisecond, lost)
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines for one that comes and goes:\n%s", n, &log)
	}
	f.note(observing, lost, at) // by another question: nothing new
	step(2*quietFor, nil)
	step(time.Second, lost)
	step(time.Second, fmt.Errorf("GPU-2: %w", nvml.ErrAsleep))
	if n := strings.Count(log.String(), "\n"); n != 3 {
		t.Errorf("%d lines, want one more, and none of a GPU that sleeps:\n%s", n, &log)
	}
	want := []string{"NVML: GPU-1: GPU is lost (for 11s)", "NVML: driver call hangs (for 5s)", "NVML: GPU-2: GPU is asleep (for 1s)"}
	if got := f.words(at); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestRecoveriesAreLoggedOnce: that of a failure that was told, no other.
func TestRecoveriesAreLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	f := failures{log: slog.New(slog.NewTextHandler(&log, nil)), feed: "NVML"}
	for i := range 100 {
		at := energy.Instant(time.Hour).Add(time.Duration(i) * 100 * time.Millisecond)
		f.note(reading, nvml.ErrLost, at)
		f.note(reading, nil, at.Add(50*time.Millisecond))
	}
	if failed, again := strings.Count(log.String(), "cannot measure"), strings.Count(log.String(), "works again"); failed != 1 || again != 1 {
		t.Errorf("failed %d times and worked again %d times:\n%s", failed, again, &log)
	}
}

// TestFailuresAreBounded: whatever a driver says.
func TestFailuresAreBounded(t *testing.T) {
	f := failures{feed: "NVML"}
	for i := range 1000 {
		f.note(reading, fmt.Errorf("failure %d", i), energy.Instant(i))
	}
	if words := f.words(1000); len(words) != maxFailures+1 || !strings.Contains(words[maxFailures], "992 more") {
		t.Errorf("%q", words)
	}
}

// TestFailuresComeBack: those of an earlier meter are the same ones when they happen
// again, and the bound holds for both together.
func TestFailuresComeBack(t *testing.T) {
	var before, f failures
	for i := range maxFailures {
		before.note(reading, fmt.Errorf("failure %d", i), energy.Instant(time.Second))
		before.note(reading, nil, energy.Instant(2*time.Second))
	}
	var resumed failures
	resumed.resume(before.state(energy.Instant(3 * time.Second)))
	f.note(recalling, errors.New("one more"), energy.Instant(4*time.Second))
	f.follow(&resumed)
	var all []error
	for i := range 100 {
		all = append(all, fmt.Errorf("failure %d", i))
	}
	f.note(observing, errors.Join(all...), energy.Instant(5*time.Second))
	f.note(observing, nil, energy.Instant(6*time.Second))
	list := f.state(energy.Instant(7 * time.Second))
	if len(list) != maxFailures || f.more != 1+100-maxFailures {
		t.Errorf("%d failures and %d more: %+v", len(list), f.more, list)
	}
	for _, k := range list {
		if k.Count != 2 || k.For != 2*time.Second {
			t.Errorf("%+v, want it twice, for a second each", k)
		}
	}
}

// TestFailuresOfOneMessage: an error that wraps two is one, errors that were joined
// are as many.
func TestFailuresOfOneMessage(t *testing.T) {
	two := errors.Join(nvml.ErrLost, errors.Join(nvml.ErrHung, nil))
	if n := len(each(two)); n != 2 {
		t.Errorf("%d of %q", n, two)
	}
	one := fmt.Errorf("open: %w: %w", nvml.ErrAbsent, nvml.ErrHung)
	if n := len(each(one)); n != 1 {
		t.Errorf("%d of %q", n, one)
	}
}
