package scenario

import (
	"slices"
	"time"
)

// The driver's utilization sampler: a buffer of 10 s of 72 tags, each naming the
// one process that was active at that moment.
const (
	SamplerWindow = 10 * time.Second
	SamplerTags   = 72
)

// Share is a process's part of the tags.
type Share struct {
	PID    int
	SM     int // percent of the tags
	Memory int // percent
}

// Utilization appends to dst, by ascending PID, the processes tagged after since
// and within the last 10 s before t, and returns the time of the newest tag, by
// which the driver stamps them all. A device under MIG has no such statistic.
//
// A tag goes to one of the loads that are active at its moment, in proportion to
// their SM, or to none if these sum to less than 100; the choice follows a
// golden-ratio sequence, which is even over any stretch of tags.
func (d *Device) Utilization(dst []Share, since, t time.Duration) ([]Share, time.Duration) {
	newest := tagBefore(t)
	start, slots := len(dst), 0
	for n := newest; n > newest-SamplerTags && tagTime(n) > since; n-- {
		slots++
		pid := d.tagged(n)
		if pid == 0 {
			continue
		}
		i := slices.IndexFunc(dst[start:], func(s Share) bool { return s.PID == pid })
		if i < 0 {
			dst = append(dst, Share{PID: pid})
			i = len(dst) - 1 - start
		}
		dst[start+i].SM++
	}
	for i := start; i < len(dst); i++ {
		dst[i].SM = (dst[i].SM*200/slots + 1) / 2
		dst[i].Memory = dst[i].SM / 2
	}
	slices.SortFunc(dst[start:], func(a, b Share) int { return a.PID - b.PID })
	return dst, tagTime(newest)
}

// tagged returns the process of tag n, 0 for none.
func (d *Device) tagged(n int64) int {
	t := tagTime(n)
	total := 0
	for i := range d.Loads {
		if d.Loads[i].active(t) {
			total += d.Loads[i].sm()
		}
	}
	at := int(uint64(uint32(n)*2654435769) * uint64(max(total, 100)) >> 32) // 2^32 over the golden ratio
	for i := range d.Loads {
		if d.Loads[i].active(t) {
			if at -= d.Loads[i].sm(); at < 0 {
				return d.Loads[i].PID
			}
		}
	}
	return 0
}

// tagTime returns when tag n is taken: at n·10 s/72, rounded down.
func tagTime(n int64) time.Duration {
	round, k := n/SamplerTags, n%SamplerTags
	if k < 0 {
		round, k = round-1, k+SamplerTags
	}
	return time.Duration(round)*SamplerWindow + time.Duration(k)*SamplerWindow/SamplerTags
}

// tagBefore returns the last tag taken at or before t.
func tagBefore(t time.Duration) int64 {
	round, rest := int64(t/SamplerWindow), int64(t%SamplerWindow)
	if rest < 0 {
		round, rest = round-1, rest+int64(SamplerWindow)
	}
	const window = int64(SamplerWindow)
	return round*SamplerTags + ((rest+1)*SamplerTags+window-1)/window - 1
}
