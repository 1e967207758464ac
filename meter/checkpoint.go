package meter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"greenagent/attribution"
	"greenagent/collector"
	"greenagent/energy"
)

// checkpointVersion is that of a Checkpoint's form. One of another version is
// refused: totals that are understood half are worse than none.
const checkpointVersion = 1

// Checkpoint is the state of a meter, to go on from in another process: after it
// has executed itself anew, or after a restart. It holds figures, names of
// processes and messages, no secrets.
type Checkpoint struct {
	Version int `json:"version"`
	// Boot identifies the boot of the machine, whose clock From and At are of.
	Boot string `json:"boot"`
	// Taken is when, by the wall clock, for a reader.
	Taken time.Time      `json:"taken"`
	From  energy.Instant `json:"from_ns"`
	At    energy.Instant `json:"at_ns"`
	Feeds []FeedState    `json:"feeds"`
}

// FeedState is what a feed has measured.
type FeedState struct {
	Name     string            `json:"name"`
	Domains  []DomainTotal     `json:"domains"`
	Ledger   attribution.State `json:"ledger"`
	Failures []Failure         `json:"failures"`
}

// DomainTotal is what was measured of a domain; its energy is in the ledger.
type DomainTotal struct {
	Domain collector.Domain `json:"domain"`
	Basis  energy.Basis     `json:"basis"`
	// Booked is up to where its energy is in the ledger, Mark what its counter stood
	// at by then, nil where there is none.
	Booked      energy.Instant     `json:"booked_ns"`
	Mark        *collector.Mark    `json:"mark"`
	Uncertainty energy.Uncertainty `json:"uncertainty"`
	Unobserved  time.Duration      `json:"unobserved_ns"`
	Rejected    int                `json:"rejected"`
	Resets      int                `json:"resets"`
	Check       collector.Check    `json:"check"`
	Peak        energy.Power       `json:"peak_w"`
	Floor       energy.Power       `json:"floor_w"`
	// Away is for how long nobody measured, AwayEnergy what was used meanwhile as
	// far as counters tell.
	Away       time.Duration `json:"away_ns"`
	AwayEnergy energy.Energy `json:"away_j"`
}

// Failure is what went wrong, how often and for how long.
type Failure struct {
	Message string        `json:"message"`
	Count   int           `json:"count"`
	For     time.Duration `json:"for_ns"`
}

// ErrCheckpoint means that a text is no checkpoint that can be gone on from.
var ErrCheckpoint = errors.New("not a checkpoint")

// Encode writes a checkpoint as JSON.
func (c *Checkpoint) Encode(w io.Writer) error { return json.NewEncoder(w).Encode(c) }

// largestCheckpoint bounds what is read: 4096 processes on a hundred domains.
const largestCheckpoint = 256 << 20

// DecodeCheckpoint reads what Encode wrote, and nothing else: its error is
// ErrCheckpoint unless every field is known and every account adds up.
func DecodeCheckpoint(r io.Reader) (*Checkpoint, error) {
	text, err := io.ReadAll(io.LimitReader(r, largestCheckpoint+1))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if len(text) > largestCheckpoint {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrCheckpoint, largestCheckpoint)
	}
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	if version.Version != checkpointVersion {
		return nil, fmt.Errorf("%w: version %d, want %d", ErrCheckpoint, version.Version, checkpointVersion)
	}
	var c Checkpoint
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: more after its end", ErrCheckpoint)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	return &c, nil
}

func (c *Checkpoint) check() error {
	if !within(c.From) || !within(c.At) || c.At < c.From {
		return fmt.Errorf("from %d to %d ns", c.From, c.At)
	}
	names := map[string]bool{}
	for i := range c.Feeds {
		f := &c.Feeds[i]
		if names[f.Name] {
			return fmt.Errorf("two feeds %q", f.Name)
		}
		names[f.Name] = true
		if err := f.check(c.From); err != nil {
			return fmt.Errorf("feed %q: %w", f.Name, err)
		}
	}
	return nil
}

// within reports whether an instant is far from overflow, as differences are taken.
func within(i energy.Instant) bool { return -1<<61 < i && i < 1<<61 }

// half reports whether an energy is far enough from overflow to be added to another.
func half(e energy.Energy) bool { return math.MinInt64/4 < e && e < math.MaxInt64/4 }

func (f *FeedState) check(from energy.Instant) error {
	if len(f.Ledger.Balances) != len(f.Domains) {
		return fmt.Errorf("accounts of %d domains, want %d", len(f.Ledger.Balances), len(f.Domains))
	}
	ids := map[string]bool{}
	for _, d := range f.Domains {
		finite := func(v float64) bool { return v >= 0 && v <= math.MaxFloat64 }
		switch {
		case d.Domain.ID == "" || ids[d.Domain.ID]:
			return fmt.Errorf("domain %q, want names that differ", d.Domain.ID)
		case !within(d.Booked) || d.Booked < from:
			return fmt.Errorf("%s: booked up to %d ns", d.Domain.ID, d.Booked)
		case d.Mark != nil && (!within(d.Mark.At) || !half(d.Mark.Value) || !half(d.Mark.Ahead)):
			return fmt.Errorf("%s: mark %+v", d.Domain.ID, *d.Mark)
		case !finite(d.Uncertainty.Systematic) || !finite(d.Uncertainty.Variance):
			return fmt.Errorf("%s: uncertainty %+v", d.Domain.ID, d.Uncertainty)
		case d.Unobserved < 0 || d.Unobserved > 1<<61 || d.Away < 0 || d.Away > 1<<61 || d.AwayEnergy < 0 || d.Rejected < 0 || d.Resets < 0 || d.Peak < 0 || d.Floor < 0:
			return fmt.Errorf("%s: a negative figure", d.Domain.ID)
		}
		ids[d.Domain.ID] = true
	}
	for _, failure := range f.Failures {
		if failure.Count < 1 || failure.For < 0 || len(f.Failures) > maxFailures {
			return fmt.Errorf("failure %q: %d times, for %v", failure.Message, failure.Count, failure.For)
		}
	}
	return f.Ledger.Check()
}

// WriteFile writes a checkpoint in the place of an earlier one: whoever reads the
// file, after a crash too, finds the one or the other.
func (c *Checkpoint) WriteFile(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the failure before it counts
		}
	}()
	for _, step := range []func() error{
		func() error { return c.Encode(f) }, f.Sync, f.Close,
		func() error { return os.Rename(f.Name(), path) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
	}
	return nil
}

// ReadCheckpoint reads a file that WriteFile has written.
func ReadCheckpoint(path string) (*Checkpoint, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	defer f.Close()
	c, err := DecodeCheckpoint(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Boot returns what identifies the machine's present boot: random(4), boot_id.
func Boot(proc string) (string, error) {
	text, err := os.ReadFile(filepath.Join(proc, "sys", "kernel", "random", "boot_id"))
	if err != nil {
		return "", fmt.Errorf("which boot this is: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}
