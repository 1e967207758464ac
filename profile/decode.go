package profile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"greenagent/energy"
)

// ErrInvalid is of what is no profile, or says what cannot be.
var ErrInvalid = errors.New("no valid profile")

const (
	// mostBytes is more than any profile has.
	mostBytes = 1 << 20
	// Sensors tick within these bounds, or a run is better off without being told.
	fastestTick = time.Millisecond
	slowestTick = 10 * time.Second
	mostPower   = 100 * energy.Kilowatt
)

// Encode writes a profile as JSON.
func Encode(w io.Writer, p Profile) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(p)
}

// Decode reads a profile. Keys that it does not know are passed over; what no GPU
// could have is refused with ErrInvalid, and so is another schema.
func Decode(r io.Reader) (Profile, error) {
	text, err := io.ReadAll(io.LimitReader(r, mostBytes+1))
	if err != nil {
		return Profile{}, err
	}
	if len(text) > mostBytes {
		return Profile{}, fmt.Errorf("%w: over %d bytes", ErrInvalid, mostBytes)
	}
	var p Profile
	if err := json.Unmarshal(text, &p); err != nil {
		return Profile{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := p.check(); err != nil {
		return Profile{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return p, nil
}

func (p *Profile) check() error {
	switch {
	case p.Schema != Schema:
		return fmt.Errorf("schema %.40q, want %s", p.Schema, Schema)
	case !plain(p.UUID):
		return fmt.Errorf("UUID %.40q", p.UUID)
	}
	var ticks []*Tick
	if p.Counter != nil {
		ticks = append(ticks, p.Counter.Tick)
	}
	for _, s := range []*Power{p.Power, p.Average} {
		if s != nil {
			ticks = append(ticks, s.Tick)
		}
	}
	for _, t := range ticks {
		if t == nil {
			continue
		}
		if d := time.Duration(t.Period); d < fastestTick || d > slowestTick || t.Within < 0 || t.Within > t.Period || t.Seen < 0 {
			return fmt.Errorf("a tick of %v ± %v", t.Period, t.Within)
		}
	}
	for _, i := range p.Idle {
		if i.Power < 0 || i.Power > mostPower || i.For < 0 {
			return fmt.Errorf("idle at %v", i.Power)
		}
	}
	if k := p.CrossCheck; k != nil && (math.IsNaN(*k) || math.IsInf(*k, 0)) {
		return errors.New("cross-check is no number")
	}
	return nil
}

// plain reports whether a UUID is one, and fit for the name of a file.
func plain(uuid string) bool {
	const most = 96
	if uuid == "" || len(uuid) > most || uuid[0] == '-' {
		return false
	}
	for _, c := range []byte(uuid) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return true
}
