package collector

// addPower integrates power by trapezoid from the reading before.
func (g *Integrator) addPower(r Reading) {
	if !g.begun {
		g.power = PowerPoint{r.At, r.Power}
		g.begin(r.At, 0)
		return
	}
	end := g.curve.Span().End
	elapsed := r.At.Sub(end)
	switch {
	case elapsed <= 0:
		return
	case elapsed > maxGap || g.power.At == 0:
		g.skip(r.At)
		return
	}
	mean := (g.power.Power + r.Power) / 2
	g.curve.Append(r.At, g.curve.At(end)+mean.For(elapsed))
}
