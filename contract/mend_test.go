package contract_test

import (
	"strings"
	"testing"

	"github.com/partnerkit/partnerkit/contract"
)

// Every check of an adapter says in its own words how to mend what it finds, in both
// languages; checks of platforms say what their area does.
func TestMend(t *testing.T) {
	t.Parallel()
	for _, c := range contract.Checks() {
		area := contract.AreaOf(c.ID)
		why, mend := contract.Mend(c.ID)
		if why == (contract.Text{}) || mend.En == "" || mend.Ru == "" || mend.En == mend.Ru {
			t.Errorf("%s: why %+v, mend %+v", c.ID, why, mend)
		}
		if own := mend != area.Mend; own != strings.HasPrefix(c.ID, "INT-") {
			t.Errorf("%s: words of its own: %t", c.ID, own)
		}
	}
	if why, mend := contract.Mend("INT-CRASH-05"); why != contract.AreaOf("INT-CRASH-05").Why || !strings.Contains(mend.En, "declinePayment") {
		t.Errorf("INT-CRASH-05: %s %s", why, mend)
	}
}

// No check is given advice twice, and no advice is for a check that there is not.
func TestMendsAreOfChecks(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, c := range contract.Checks() {
		known[c.ID] = true
	}
	for _, id := range contract.Mended() {
		if !known[id] {
			t.Errorf("%s: there is no such check, or it has advice already", id)
		}
		delete(known, id)
	}
}
