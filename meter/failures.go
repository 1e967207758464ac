package meter

import "fmt"

// maxFailures is how many different failures of one feed are remembered.
const maxFailures = 8

// failures remembers what went wrong, each message once with how often: a
// sensor that fails at every reading must not fill memory or the screen.
type failures struct {
	messages []string
	counts   []int
	more     int
}

func (f *failures) note(err error) {
	if err == nil {
		return
	}
	message := err.Error()
	for i, m := range f.messages {
		if m == message {
			f.counts[i]++
			return
		}
	}
	if len(f.messages) == maxFailures {
		f.more++
		return
	}
	f.messages, f.counts = append(f.messages, message), append(f.counts, 1)
}

// list returns the failures in words.
func (f *failures) list(feed string) []string {
	var list []string
	for i, m := range f.messages {
		if n := f.counts[i]; n > 1 {
			m = fmt.Sprintf("%s (%d times)", m, n)
		}
		list = append(list, feed+": "+m)
	}
	if f.more > 0 {
		list = append(list, fmt.Sprintf("%s: %d more failures", feed, f.more))
	}
	return list
}
