package models

// The rows of the table sequences. Each number is drawn in the transaction that uses it, so it is
// never reused, and numbers become visible in their order. Locking such a row serialises
// transactions.
const (
	userSequence       = "user"
	keySequence        = "key"
	revocationSequence = "ending"           // of the newest revocation
	revocationChecksum = "endings checksum" // of all revocations
	keyRingSequence    = "ring"             // of the newest change to the signing keys
	changeSequence     = "change"           // of the newest destructive change: see changeCounter
	setupTime          = "setup"            // Unix seconds: when the newest administrator was created
	storeClock         = "clock"            // Unix seconds: see AdvanceClock
	moveStarted        = "moving"           // Unix seconds: a move to this database is unfinished
	movedAway          = "moved"            // Unix seconds: this database was moved
)

// next draws the next number of a sequence, and locks it until the transaction ends.
func (t *transaction) next(sequence string) (int64, error) {
	if sequence == revocationSequence || sequence == keyRingSequence {
		t.notify = true
	}
	var value int64
	err := t.scan("UPDATE sequences SET value = value + 1 WHERE name = $1 RETURNING value",
		[]any{sequence}, &value)
	return value, err
}

// lock keeps out other transactions that lock the same sequence or draw from it, until this one
// ends.
func (t *transaction) lock(sequence string) error {
	_, err := t.exec("UPDATE sequences SET value = value WHERE name = $1", sequence)
	return err
}
