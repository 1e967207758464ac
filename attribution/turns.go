package attribution

import "greenagent/collector"

// turns tells whether those who share a device take turns that are longer than the
// time between two tags, or so short that their energy cannot be told apart: by how
// often one tag names somebody else than the one before, beside how often it would
// if each were drawn by itself.
type turns struct {
	of       collector.Process // whom the latest tag named
	chance   float64           // of so long a turn, if each tag were drawn by itself
	held     evidence          // the latest interval of the turn: another may have begun in it
	changes  float64           // tags that named another than the one before
	edges    float64           // the same, those between two long turns by what they leave open
	expected float64           // tags that would have named another if drawn
}

const (
	// long is the chance below which a turn is not one of tags drawn by themselves.
	long = 1.0 / 64
	// memory is how many tags it takes to forget.
	memory = 2 * window
	// placed is the part of the variance of a drawn tag that is left where one long
	// turn meets the next: the change is somewhere between two tags (1/12), and a
	// drawn tag that changes has 1/2.
	placed = 1.0 / 6
)

// interrupt ends the turn, where several tags came at once: their order is not known.
func (t *turns) interrupt() { t.of, t.held = collector.Process{}, evidence{} }

// take takes in an interval of one tag, of p, before that is in the window. It
// returns what of a long turn's energy lies inside it.
func (t *turns) take(s *sharing, p *party, e float64) (inner evidence) {
	const keep = 1 - 1.0/memory
	t.changes, t.edges, t.expected = t.changes*keep, t.edges*keep, t.expected*keep
	if s.tags >= 2 {
		same := 0.0
		for i := range s.parties {
			share := s.parties[i].tags / s.tags
			same += share * share
		}
		t.expected += 1 - same
	}
	share := (p.tags + 1) / (s.tags + 2)
	if t.of != p.process {
		if t.of != (collector.Process{}) {
			t.changes++
			if t.chance < long {
				t.edges += placed
			} else {
				t.edges++
			}
		}
		t.of, t.chance, t.held = p.process, 1, evidence{}
		return inner // the first of a turn is partly another's
	}
	t.chance *= share
	if t.chance < long {
		inner = t.held
	}
	t.held = evidence{energy: e, tags: p.now}
	return inner
}

// mixing returns how much of the energy of a moment is taken to be of everybody,
// from 0 to 1. As long as there is little to tell, that is as much as there may be
// where levels are told: then it does no harm to turns that are longer.
func (t *turns) mixing(told bool) float64 {
	if told {
		return t.open()
	}
	return mixed((t.changes + 1) / (t.expected + 2))
}

// open returns how much of it may be of everybody.
func (t *turns) open() float64 { return mixed((t.changes + 2) / (t.expected + 2)) }

// mixed returns the part that is mixed where tags change so often, of as often as
// if they were drawn.
func mixed(changes float64) float64 { return min(max((changes-0.5)/0.4, 0), 1) }

// sampling returns the part of the variance of drawn tags that the tags have.
func (t *turns) sampling() float64 { return min(1, (t.edges+2)/(t.expected+2)) }
