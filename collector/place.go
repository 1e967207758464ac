package collector

import "slices"

// Place is a part of a domain that hardware keeps apart from the others, as a MIG
// instance of a GPU: those in it share it among themselves.
type Place struct {
	ID string // stable and unique: a UUID
	// Size is how much of the domain it is, and for how long it was, in a unit that
	// the places of an Activity have in common.
	Size uint64
	// Busy is how much of that was at work, where Activity.Method is ByGPM.
	Busy uint64
	// Tenant is who was in it last.
	Tenant Owner
}

// nowhere is the Place of who is in none, or in one that is not known.
const nowhere = -1

// Present returns how many processes were there, those included of which nothing is
// known but that somebody, or a place, was busy.
func (a *Activity) Present() int {
	n := len(a.Usage)
	if a.Strangers {
		n++
	}
	for i := range a.Places {
		if a.Places[i].Busy > 0 && !a.Occupied(i) {
			n++
		}
	}
	return n
}

// Occupied reports whether a known process was in a place.
func (a *Activity) Occupied(place int) bool {
	return slices.ContainsFunc(a.Usage, func(u Usage) bool { return u.Place == place })
}

// absorbPlaces adds an earlier activity's places to a's: times add up.
func (a *Activity) absorbPlaces(earlier *Activity) {
	if len(a.Places) == 0 && len(earlier.Places) > 0 {
		for i := range a.Usage {
			a.Usage[i].Place = nowhere
		}
	}
	for _, p := range earlier.Places {
		i := slices.IndexFunc(a.Places, func(q Place) bool { return q.ID == p.ID })
		if i < 0 {
			a.Places = append(a.Places, p)
			continue
		}
		a.Places[i].Size += p.Size
		a.Places[i].Busy += p.Busy
	}
	a.Whole += earlier.Whole
	if a.Method == BySlices && earlier.Method == ByGPM {
		a.Method = ByGPM
	}
}

// placeOf returns where in a's places an earlier activity's place is.
func (a *Activity) placeOf(earlier *Activity, place int) int {
	if place < 0 || place >= len(earlier.Places) {
		return nowhere
	}
	return slices.IndexFunc(a.Places, func(p Place) bool { return p.ID == earlier.Places[place].ID })
}
