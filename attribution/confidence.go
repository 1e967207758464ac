package attribution

import "greenagent/collector"

// Confidence says in a word how far a division can be relied on.
type Confidence uint8

// The confidences.
const (
	Unstated Confidence = iota // nothing was divided
	Low                        // who used how much is a guess
	Medium
	High
)

var confidenceNames = [...]string{"", "low", "medium", "high"}

// String returns the name used in run files, "" for Unstated.
func (c Confidence) String() string { return confidenceNames[c] }

const (
	// What the division may add to a figure's uncertainty at most, as a part of it and
	// with k = 2.
	mostForHigh   = 0.1
	mostForMedium = 0.4
)

// confidence returns that of an entry of a domain of which most was divided by a
// method. What a process's CPU time or tags stand for is a model in any case; of
// processes that run at one moment, neither says who did.
func (e *Entry) confidence(b *Balance, method collector.Method) Confidence {
	if e.Dynamic == 0 && e.Variance == 0 && e.Systematic == 0 {
		return Unstated
	}
	u := e.Doubt()
	off := float64(u.Expanded()) / float64(max(e.Dynamic, 1))
	dynamic := b.Energy - b.Idle - b.Unattributed
	switch {
	case off > mostForMedium, b.Concurrent > dynamic/10 && off > 0, method == collector.ByMemory && off > 0:
		return Low
	case off > mostForHigh, method == collector.ByCPUTime:
		return Medium
	}
	return High
}
