package contract

var robokassaAreas []Area

func robokassaChecks() []Check { return nil }

func robokassaOK(hit) string { return "" }
