import { once } from '../model/once.ts';

/**
 * English words whose forms no stemmer brings together. A query for one finds them all; what is indexed stays as
 * it was written.
 */
const lists = `arise arose arisen
awake awoke awoken
bear bore borne
beat beaten
become became
begin began begun
bend bent
bind bound
bite bit bitten
bleed bled
blow blew blown
break broke broken
breed bred
bring brought
build built
burn burnt
buy bought
catch caught
choose chose chosen
come came
creep crept
deal dealt
dig dug
draw drew drawn
dream dreamt
drink drank drunk
drive drove driven
eat ate eaten
fall fell fallen
feed fed
feel felt
fight fought
find found
flee fled
fly flew flown
forget forgot forgotten
forgive forgave forgiven
freeze froze frozen
get got gotten
give gave given
go went gone
grow grew grown
hang hung
hear heard
hide hid hidden
hold held
keep kept
know knew known
lay laid
lead led
leave left
lend lent
lie lain
light lit
lose lost
make made
mean meant
meet met
pay paid
ride rode ridden
ring rang rung
rise rose risen
run ran
say said
see saw seen
seek sought
sell sold
send sent
sew sewn
shake shook shaken
shine shone
shoot shot
show shown
shrink shrank shrunk
sing sang sung
sink sank sunk
sit sat
sleep slept
slide slid
speak spoke spoken
spend spent
spin spun
stand stood
steal stole stolen
stick stuck
sting stung
strike struck
swear swore sworn
sweep swept
swim swam swum
swing swung
take took taken
teach taught
tear tore torn
tell told
think thought
throw threw thrown
understand understood
wake woke woken
wear wore worn
weep wept
win won
wind wound
withdraw withdrew withdrawn
write wrote written
child children
foot feet
goose geese
man men
mouse mice
person people
tooth teeth
wife wives
woman women
knife knives
leaf leaves
life lives
wolf wolves
half halves
shelf shelves
good better best
bad worse worst`;

const forms = once(
  () =>
    new Map(
      lists.split('\n').flatMap((line) => {
        const all = line.split(' ');
        return all.map((word): [string, readonly string[]] => [word, all]);
      }),
    ),
);

/** The word and its irregular forms; most words have none. */
export const formsOf = (word: string): readonly string[] => forms().get(word) ?? [word];
