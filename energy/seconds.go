package energy

import (
	"fmt"
	"time"
)

// Seconds is a duration whose JSON form is a number of seconds.
type Seconds time.Duration

// MarshalJSON writes seconds, to the microsecond.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return appendMicro(nil, time.Duration(s).Microseconds()), nil
}

// UnmarshalJSON reads seconds, to the nearest microsecond.
func (s *Seconds) UnmarshalJSON(text []byte) error {
	us := time.Duration(*s).Microseconds() // kept by null, as by every value
	if err := parseMicro(text, &us, "seconds"); err != nil {
		return err
	}
	const most = int64(1<<63-1) / int64(time.Microsecond)
	if us > most || us < -most {
		return fmt.Errorf("%s seconds: out of range", text)
	}
	*s = Seconds(time.Duration(us) * time.Microsecond)
	return nil
}

// String returns the duration as time.Duration has it.
func (s Seconds) String() string { return time.Duration(s).String() }
