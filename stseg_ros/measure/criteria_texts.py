"""What was to be shown, in the words it was asked in; the pages of results quote it."""

SPEED = """\
> On this CPU, one run, same network: two-stage at the default K is at least 3.4 times faster end
> to end than the whole frame for the paper's U-Net at 512x512 and N_p = 4 (MACs say 3.76), at
> least 5.5 at N_p = 8, and at least 6.5 (N_p = 4) and 11 times (N_p = 8) faster than the
> re-enactment of the reference code; the pipeline costs at most 1.15 times its two network calls.
"""
EQUAL_DICE = """\
> At the default setting the Dice, on left-out drives and on CamVid val, is not below the
> whole-frame baseline of the same network with the same training effort (three seeds; the paper
> lost 0.06), at 4 times its speed or better; if that cannot be had, the report shows how near it
> comes and what limits it.
"""
BEATS = """\
> Default two-stage on a light network beats the same light network on the whole frame at equal
> time or at equal Dice on frames of 1280x720 and larger; or the report shows from which frame size
> on it does.
"""
RESULTS = """\
> `docs/results.md` holds the frontier, the criterion table with regret, and the ablations, each
> made by a named command from named runs.
"""
