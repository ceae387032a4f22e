"""Which regions stage 2 looks at again: one contract, several criteria."""
