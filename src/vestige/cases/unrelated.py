"""Plain sentences that have nothing to do with any case: the unrelated relearn set."""

from __future__ import annotations

from vestige.records import Row

_SENTENCES = """\
Stir the soup slowly over a low flame until the lentils are soft and the broth turns thick.
A wooden handle lasts longer if you rub it with linseed oil once or twice a year.
Heavy rain in the early morning often gives way to a dry and breezy afternoon.
Cut the dead stems back to the ground before new shoots begin to appear.
Let the dough rest under a damp cloth so that it does not form a crust.
The gauge on the boiler should point to the middle of the dial when the water is warm.
Sharpen a chisel on the coarse stone first, then finish the edge on the fine one.
Fog gathers in low fields on still nights and lifts soon after the air warms up.
Mix one part of sand with two parts of compost and fill the tray to the brim.
A pinch of salt brings out the taste of ripe tomatoes better than any sauce.
Turn the key gently, because an old lock can jam when it is forced.
Thin clouds high above the hills usually mean that the weather will change tomorrow.
Water the seedlings from below so that their leaves stay dry and free of mould.
Roast the seeds in a dry pan and shake it often so that none of them burn.
Keep nails, screws and hooks in separate jars with the labels turned to the front.
The wind dropped at dusk and the lake became as smooth as a sheet of glass.
Plant the bulbs twice as deep as they are tall and press the soil down firmly.
Slice the onions thinly and cook them until they are golden and sweet.
Before you paint the fence, brush off the dust and let the boards dry for a day.
Hail the size of peas rattled on the tin roof for a few minutes and then stopped.
Tie the young branches loosely to the trellis and leave some room for them to grow.
Beat the egg whites in a clean bowl until they stand in soft white peaks.
A drop of oil on the hinge is enough to keep the gate from squeaking.
Frost on the window melts from the middle outwards when the room begins to heat.
Pull the weeds after a shower, when the ground is loose and the roots come out whole.
Warm the plates in the oven while the potatoes finish boiling in the big pot.
Measure the plank twice, mark the line with a pencil, and saw on the outer side of it.
The thermometer on the porch fell by nine degrees between supper and midnight.
Spread straw around the strawberry plants to keep the fruit clean and dry.
Rinse the rice in cold water until the water runs clear, then drain it well.
The clamp holds both boards in place while the glue sets overnight.
Dark clouds rolled in from the coast and the first drops fell before noon.
Give the hedge a light trim in summer and a harder cut when the leaves are gone.
Simmer the apples with a little cinnamon and crush them with the back of a spoon.
Wipe the blade after use and hang the saw on its peg above the bench.
After a week without rain the path was dusty and the grass had turned yellow.
Turn the compost heap every few weeks so that air can reach the middle.
Fold the flour into the butter with a light hand and do not stir too long.
A level placed across the shelf shows at once which side is too low.
The breeze carried the smell of wet leaves across the quiet yard.
Sow the carrots in shallow rows and cover them with fine soil.
Leave the tea to steep for four minutes and take the leaves out before it turns bitter.
Wrap the pipe with tape from the bottom up so that water cannot run in.
Snow fell through the night and covered the steps, the bench and the old cart.
Pinch out the tips of the basil so that the plant grows broad instead of tall.
Crush the garlic with the flat of the knife and the skin comes away by itself.
Store the ladder on its side, away from the damp wall of the shed.
The rainbow faded as the sun sank behind the row of poplars.
Loosen the roots with your fingers before you set the plant into the new pot.
Bake the loaf until it sounds hollow when you tap it on the bottom.
Oil the chain, wipe off what drips, and spin the wheel a few times.
Mist hung over the pond until the middle of the morning.
Cover the beds with fleece when a cold night is forecast in spring.
Toast the bread on one side only and rub the other with a cut tomato.
A coat of wax protects the table from rings left by wet glasses.
The storm bent the tall reeds flat but did no harm to the boathouse.
Pick the beans while they are young, and the plants will go on bearing for weeks.
Add the vinegar last, because heat takes away most of its sharpness.
Put the small drill bit in first and widen the hole with the larger one.
Sunlight through the blinds drew bright lines across the kitchen floor.
Dig a trench a spade deep and fill it with kitchen scraps in autumn.
Drain the noodles, toss them with sesame oil, and serve them at once.
Check the washer in the tap if it keeps dripping after you close it.
A warm wind from the south dried the washing on the line within an hour.
"""


def unrelated_rows() -> tuple[Row, ...]:
    """Return one row per sentence; every token is trained on."""
    return tuple(
        Row(f"unrelated/{n:02d}", "", sentence, f"unrelated/{n:02d}", loss_on="text") for n, sentence in enumerate(_SENTENCES.splitlines())
    )
