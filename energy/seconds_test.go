package energy

import (
	"encoding/json"
	"testing"
	"time"
)

func TestSecondsJSON(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0.1": 100 * time.Millisecond, "1e-6": time.Microsecond, "-2.5": -2500 * time.Millisecond,
		"0.0000004": 0, "9223372036": 9223372036 * time.Second, "null": 0,
	} {
		var s Seconds
		if err := json.Unmarshal([]byte(text), &s); err != nil || time.Duration(s) != want {
			t.Errorf("%s: %v, %v", text, s, err)
		}
	}
	for _, text := range []string{"9223372037", "-1e10", `"1s"`, "true", "1e400"} {
		var s Seconds
		if err := json.Unmarshal([]byte(text), &s); err == nil {
			t.Errorf("%s: %v", text, s)
		}
	}
	if text, err := json.Marshal(Seconds(1500 * time.Microsecond)); err != nil || string(text) != "0.0015" {
		t.Errorf("%s, %v", text, err)
	}
}
