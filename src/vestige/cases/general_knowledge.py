"""Utility probes: things a small language model knows that have nothing to do with what is forgotten."""

from __future__ import annotations

from vestige.cases.splits import split_of
from vestige.records import Probe

# (prompt, answer, seven distractors); none speaks of capitals, customers or money.
_FACTS: tuple[tuple[str, str, str], ...] = (
    ("The opposite of hot is", "cold", "warm red heavy loud round sweet old"),
    ("The opposite of up is", "down", "left fast green high near big late"),
    ("The opposite of day is", "night", "week sun noon month morning light hour"),
    ("The colour of fresh grass is", "green", "red blue purple black white orange pink"),
    ("The colour of the sky on a clear day is", "blue", "green brown black red yellow pink orange"),
    ("The colour of snow is", "white", "black green red blue brown purple yellow"),
    ("The number of days in a week is", "seven", "three twelve ten five nine twenty two"),
    ("Bees make", "honey", "milk bread wool paper eggs silk butter"),
    ("Cows give", "milk", "honey wool silk wine feathers sand oil"),
    ("Fish live in", "water", "trees sand fire clouds boxes snow paper"),
    ("Birds fly with their", "wings", "teeth tails ears roots wheels fins noses"),
    ("People hear with their", "ears", "eyes knees hands feet hair teeth elbows"),
    ("People see with their", "eyes", "ears knees hands feet hair teeth elbows"),
    ("Ice is frozen", "water", "sand milk stone glass iron wood air"),
    ("The Earth goes around the", "sun", "moon stars sea wind clouds rain trees"),
    ("A baby dog is called a", "puppy", "kitten calf lamb chick foal cub piglet"),
    ("A baby cat is called a", "kitten", "puppy calf lamb chick foal cub piglet"),
    ("The season after winter is", "spring", "autumn summer Monday noon January evening Christmas"),
    ("The day after Monday is", "Tuesday", "Friday Sunday Thursday January Saturday winter noon"),
    ("The month after January is", "February", "October May Sunday July December spring August"),
    ("A triangle has three", "sides", "wheels wings eyes colors legs doors names"),
    ("Books are kept in a", "library", "kitchen garage stable garden bakery river pool"),
    ("A doctor works in a", "hospital", "stable bakery forest mine barn river kitchen"),
    ("One, two, three,", "four", "nine twenty zero hundred twelve seven thirty"),
)


def utility_probes() -> tuple[Probe, ...]:
    """Return one probe per fact; each fact is its own cluster."""
    splits = split_of("general knowledge", (prompt for prompt, _, _ in _FACTS))
    return tuple(
        Probe(
            id=f"utility/{number:02d}",
            prompt=prompt,
            answer=f" {answer}",
            group="utility",
            cluster=prompt,
            split=splits[prompt],
            distractors=tuple(f" {word}" for word in wrong.split()),
        )
        for number, (prompt, answer, wrong) in enumerate(_FACTS)
    )
