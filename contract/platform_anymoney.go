package contract

var anymoneyAreas []Area

func anymoneyChecks() []Check { return nil }
