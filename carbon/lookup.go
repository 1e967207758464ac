package carbon

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// ErrUnknownZone means that the table has no figure for a place.
var ErrUnknownZone = errors.New("unknown zone")

// ZoneError says why a zone has no factor, and what to try instead.
type ZoneError struct {
	Zone    string   // as asked for
	Country *Factor  // the country it belongs to, if the table knows that
	Missing bool     // the table lists the zone, without a figure
	Near    []string // zones spelt alike, "GB (United Kingdom)", the nearest first
}

func (e *ZoneError) Error() string {
	zone := e.Zone
	if len(zone) > maxZone {
		zone = zone[:maxZone] + "…"
	}
	switch {
	case e.Country != nil:
		return fmt.Sprintf("zone %q: the table holds whole countries; %s (%s, %.0f g/kWh in %d) is the one it lies in",
			zone, e.Country.Zone, e.Country.Name, float64(e.Country.Value), e.Country.Year)
	case e.Missing:
		return fmt.Sprintf("zone %q: the source has no figure for it; WORLD is the world's average", zone)
	case len(e.Near) > 0:
		return fmt.Sprintf("unknown zone %q: did you mean %s?", zone, strings.Join(e.Near, ", "))
	}
	return fmt.Sprintf("unknown zone %q: want a country's ISO 3166 code or English name, EU or WORLD", zone)
}

// Is makes every ZoneError an ErrUnknownZone.
func (e *ZoneError) Is(target error) bool { return target == ErrUnknownZone }

// maxZone bounds what is compared and repeated in a message, in bytes. The
// longest name in the table has 32.
const maxZone = 64

// Lookup returns the factor of a zone: an ISO 3166-1 code of two or three
// letters, a country's English name, or an aggregate such as EU, WORLD or ASIA.
// Case, spaces, punctuation and accents do not matter.
//
// The error is a *ZoneError, for which errors.Is(err, ErrUnknownZone) holds.
// A part of a country, "US-CA", is not in the table: the error then names the
// country, whose average the caller may take instead but must say so.
func Lookup(zone string) (Factor, error) {
	t, err := embedded()
	if err != nil {
		return Factor{}, err
	}
	return t.lookup(zone)
}

func (t *table) lookup(zone string) (Factor, error) {
	if len(zone) > maxZone {
		return Factor{}, &ZoneError{Zone: zone}
	}
	if i, ok := t.byName[fold(zone)]; ok {
		if t.rows[i].missing {
			return Factor{}, &ZoneError{Zone: zone, Missing: true}
		}
		return t.rows[i].Factor, nil
	}
	if f, ok := t.country(zone); ok {
		return Factor{}, &ZoneError{Zone: zone, Country: &f}
	}
	return Factor{}, &ZoneError{Zone: zone, Near: t.near(zone)}
}

// country returns the country of a subdivision, written as in ISO 3166-2 or by
// intensity providers: the country's code, a dash, and something.
func (t *table) country(zone string) (Factor, bool) {
	prefix, _, found := strings.Cut(strings.TrimSpace(zone), "-")
	if !found || len(prefix) < 2 || len(prefix) > 3 {
		return Factor{}, false
	}
	i, ok := t.byName[fold(prefix)]
	if !ok || t.rows[i].alpha3 == "" || t.rows[i].missing {
		return Factor{}, false
	}
	return t.rows[i].Factor, true
}

// Zones returns the factor of each zone that has one, in the order of the table.
func Zones() ([]Factor, error) {
	t, err := embedded()
	if err != nil {
		return nil, err
	}
	list := make([]Factor, 0, len(t.rows))
	for i := range t.rows {
		if !t.rows[i].missing {
			list = append(list, t.rows[i].Factor)
		}
	}
	return list, nil
}

// Range returns the lowest and the highest of all countries' factors: the span
// within which an unknown location lies.
func Range() (low, high Factor, err error) {
	t, err := embedded()
	if err != nil {
		return Factor{}, Factor{}, err
	}
	return t.rows[t.low].Factor, t.rows[t.high].Factor, nil
}

// near returns up to three zones whose code or name resembles text.
func (t *table) near(text string) []string {
	key := fold(text)
	if key == "" {
		return nil
	}
	type candidate struct{ distance, index int }
	best := make(map[int]int) // index of a row → smallest distance
	for name, i := range t.byName {
		if t.rows[i].missing {
			continue
		}
		d := distance(key, name)
		switch {
		case len(key) >= 3 && strings.HasPrefix(name, key):
			d = 1 // "Switz": an unfinished name
		case d > 1 && d > len(name)/3:
			continue // more than a slip of the finger
		case len(key) <= 3 && len(name) <= 3 && d > 1:
			continue
		}
		if old, seen := best[i]; !seen || d < old {
			best[i] = d
		}
	}
	candidates := make([]candidate, 0, len(best))
	for i, d := range best {
		candidates = append(candidates, candidate{d, i})
	}
	slices.SortFunc(candidates, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.index, b.index))
	})
	var near []string
	for _, c := range candidates[:min(len(candidates), 3)] {
		near = append(near, fmt.Sprintf("%s (%s)", t.rows[c.index].Zone, t.rows[c.index].Name))
	}
	return near
}

// fold reduces a name to its letters and digits in lower case without accents,
// so that "Côte d’Ivoire" and "cote d'ivoire" are the same.
func fold(s string) string {
	var b strings.Builder
	for _, r := range s {
		r = unicode.ToLower(r)
		if plain, ok := accents[r]; ok {
			r = plain
		}
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// accents holds the letters with marks that occur in English names of zones.
var accents = map[rune]rune{
	'á': 'a', 'å': 'a', 'ã': 'a', 'ç': 'c', 'é': 'e', 'è': 'e', 'í': 'i',
	'ñ': 'n', 'ó': 'o', 'ô': 'o', 'ö': 'o', 'ü': 'u',
}

// distance is the Levenshtein distance in bytes; both are short.
func distance(a, b string) int {
	previous := make([]int, len(b)+1)
	current := make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := range len(a) {
		current[0] = i + 1
		for j := range len(b) {
			substitute := previous[j]
			if a[i] != b[j] {
				substitute++
			}
			current[j+1] = min(substitute, previous[j+1]+1, current[j]+1)
		}
		previous, current = current, previous
	}
	return previous[len(b)]
}
