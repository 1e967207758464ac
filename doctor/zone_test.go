package doctor

import "testing"

func TestZone(t *testing.T) {
	t.Parallel()
	expect(t, zoneCheck(""), Info, "export GREENAGENT_ZONE=FR", "range", "g/kWh")
	expect(t, zoneCheck("fr"), Pass, "", "FR ", "lifecycle")
	expect(t, zoneCheck("US-CA"), Warn, "export GREENAGENT_ZONE=US", "whole countries")
	expect(t, zoneCheck("Frence"), Warn, "export GREENAGENT_ZONE=FR", "did you mean")
	expect(t, zoneCheck("Qzxqzxq"), Warn, "export GREENAGENT_ZONE=FR", "unknown zone")
	expect(t, zoneCheck("\x1b[31m"), Warn, "export GREENAGENT_ZONE=FR", "unknown zone")
}
