package doctor

import (
	"errors"
	"fmt"
	"strings"

	"greenagent/carbon"
)

// zoneCheck says how emissions will be priced.
func zoneCheck(zone string) Check {
	if zone == "" {
		c := check(zoneKnown, Info, "no zone is set: emissions are told as a range", "", "export GREENAGENT_ZONE=FR")
		if low, high, err := carbon.Range(); err == nil {
			c.Detail = fmt.Sprintf("From %.0f g/kWh (%s) to %.0f g/kWh (%s). FR stands for France: give the code or name of the country this machine is in.",
				float64(low.Value), low.Name, float64(high.Value), high.Name)
		}
		return c
	}
	f, err := carbon.Lookup(zone)
	if err != nil {
		return check(zoneKnown, Warn, "the zone that is set is none", err.Error(), "export GREENAGENT_ZONE="+likely(err))
	}
	return check(zoneKnown, Pass, f.String(), "", "")
}

// likely returns the zone that was probably meant, one as an example if there is
// no telling.
func likely(err error) string {
	z := (*carbon.ZoneError)(nil)
	switch {
	case !errors.As(err, &z):
	case z.Country != nil:
		return z.Country.Zone
	case z.Missing:
		return "WORLD"
	case len(z.Near) > 0:
		code, _, _ := strings.Cut(z.Near[0], " ")
		return code
	}
	return "FR"
}
