"""The words that a sentence about an inspection may be made of; a word that is none of them cannot be judged.

Whatever no rule reads would pass unseen, so a model's words are held to a closed list: everyday words, words of
pictures and measures, and the names that the record holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from assistant.language.intents import KIND
from assistant.language.sentences import NAME
from assistant.language.unrecorded_claims import CANNOT_TELL

_GRAMMAR = """
a alone an the this that these those it its itself they them their there here he she i me my we us our you
your one ones is are was were be been being am do does did done doing has have had having can could may
might must shall should will would need ought let lets not no nor neither never none nothing nobody nowhere
and or but so if then than though although while whereas because since unless until whether yet both either
each every all any some several many much more most few fewer less least lot other another else same such
own only just even still also too very quite rather really as at by for from in into of off on onto out over
per through to toward towards under up upon with within without above across after against along among
around away back before behind below beneath beside besides between beyond despite down during elsewhere
except inside instead near nearby next outside past throughout together via what which who whom whose when
where why how however therefore thus hence moreover furthermore additionally meanwhile otherwise anyway
again once ever always often sometimes usually now later first second third fourth fifth sixth seventh
eighth last final finally yes yeah yep nope okay ok well sure please thanks thank welcome hello hi sorry afraid
unfortunately fortunately indeed actually certainly course example instance like unlike overall respectively
apart aside ahead further far fact case regard terms term way sort kind type respect thing something
anything everything someone anyone everyone somebody somewhat somewhere anywhere everywhere whatever
whichever whole entire full half part rest remainder total sum set group pair couple trio dozen bit little
about approximately roughly nearly almost barely hardly merely exactly precisely mostly mainly largely
partly entirely completely fully totally absolutely simply simple clearly clear obviously obvious apparently
seemingly probably probable likely unlikely possibly possible perhaps maybe potential presumably definite
perfect perfectly particular general specific current recent present presently given due according based
thereof etc e g ie eg vs versus
"""
_SAYING = """
say said says saying tell told telling speak spoken talk state stated statement report reported mention
mentioned note noted describe described description explain name named call called ask asked question answer
answered reply think believe guess know known knows knowing understand see saw seen seeing look looked
looking view viewed show shown showing find found finding reveal indicate suggest imply mean meant word
agree disagree argue claim confirm conclude conclusion decide decided decision judge judged judgement
judgment consider considered deem regard rate rated unrated treat read record recorded recording evidence result
outcome summary sum short brief detail information info basis reason support supported back backed verdict
inspection inspect inspected inspector inspecting check checked double examine examined examination detect
detected detector detection determine determined determination identify identified recognise recognize
recognised recognized locate located location localise localised localized localize highlight highlighted
mark marked marking flag flagged list listed pick picked point pointed notice noticed observe observed
observation spot spotted draw drew drawn attention raise raised assign assigned classify classified class
classification category label labelled labeled rank ranked grade graded measure measured measurement
estimate estimated compute computed calculate calculated count counted compare compared comparison
comparable relative refer reference resemble resembled resemblance likeness similar similarity match matched
matching fit fits differ different difference deviate deviation vary variation change changed alter override
settle settled settling stay stayed remain remained keep kept hold held leave left become became come came
go gone goes going get got give gave giving take took taken taking make made making put bring brought use
used using want try help work worth seem seemed appear appeared appearance happen belong contain include
included involve lie lies lay lying sit sits sitting sat stand stood standing fall fell reach reached run
runs running extend extended stretch stretched span spanning spread cover covered covering coverage occupy
occupied fill filled exceed exceeded exceeding surpass pass passed passing cross crossed fail failed failing
failure reject rejected rejection accept accepted accepting acceptance approve approved approval ship
shipped shipping shipment deliver delivery dispatch release released send sent proceed continue move stop
stopped pull pulled remove removed discard scrap scrapped rework repair quarantine separate separated handle
hand touch recommend recommended recommendation advise advised advisable advice action act step require
required requirement necessary recheck trust rely reliable reliability exceedance start end follow following
allow allowed warrant deserve add added turn turned cause caused causing lead serve served serving begin
carry express expressed reflect represent relate related associated correspond corresponding consist depend
rest rests
"""
_THINGS = """
picture image photo photograph frame view part piece product item object unit component sample specimen
article thing region area zone place spot patch section segment box bounding mark marking feature pattern
texture structure surface outline contour border boundary edge corner side top bottom left right upper lower
uppermost lowermost center centre central centred centered middle half third quarter quadrant position
location coordinate pixel px x y width height wide tall high long length large larger largest big bigger
biggest small smaller smallest tiny little size sized dimension extent extensive scale share fraction
percent percentage portion proportion twice double triple times fold fifth tenth twentieth hundredth hundred
thousand million number digit figure value level amount degree range zero one two three four five six seven
eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty seventy eighty ninety north south east
west northern southern eastern western northeast northwest southeast southwest northwestern northeastern
southwestern southeastern hand horizontal vertical diagonal diagonally direction score threshold limit
review peak p probability chance likelihood odds rare rarely rarity common unusual unusually usual typical
typically maximum minimum highest lowest higher low map anomaly model bundle vocabulary setting pocket batch
set file folder name path version mode shot few-shot zero-shot ms millisecond millimetre millimeter mm depth
weight price cost material supplier maker origin past future process person human people colleague expert
operator customer user quality control standard specification spec tolerance criterion criteria norm
expectation inspection production line manual manually visual visually eye naked fitted curve secret closer
close closely careful carefully look glance second opinion hour today
"""
_JUDGING = """
good fine acceptable flawless intact undamaged unremarkable sound healthy normal normally clean spotless
faultless conforming alright unblemished harmless suitable fit unfit unsuitable usable unusable satisfactory
unsatisfactory compliant cleared excellent pristine serviceable permitted defective faulty bad broken damage
damaged flawed abnormal anomalous unacceptable unsafe safe defect flaw fault failure problem problematic
issue abnormality irregular irregularity imperfection blemish discontinuity concern concerning conspicuous
inconspicuous suspicious suspect suspected suspicion strange odd oddity wrong off amiss order shape
condition meet met meets satisfy satisfied comply conform short free freely visible visibly invisible
noticeable noticeably sign trace hint indication symptom affect affected unaffected borderline inconclusive
undecided uncertain uncertainty unclear unknown open doubt doubtful grey gray zone ambiguous certain
certainty confident confidence proof prove proven guarantee guaranteed guess assume assumption rough wide
broad narrow narrowly slight slightly minor mild faint weak weaker weakest negligible moderate moderately
medium severe severely severity serious critical major strong stronger strongest strongly strength intense
intensity pronounced prominent dominant main worst worse single multiple numerous various distinct discrete
individual additional extra separate separately unique isolated local uniform uniformly consistent even
smooth regular expected unexpected comfortable comfortably considerable considerably significant
significantly marginal marginally substantial substantially tight loose true false correct alarm actual real
sufficient enough equal equally alike identical dark darker darkest light lighter bright brighter brightness
tone contrast colour color black white elongated elongate compact round roundish thin thick thread line
linear blob shaped form stretched connected continuous surroundings surrounding ground background foreground
"""
_TALKING = """
assure assured matter pay paid depend easy easily difficult hard quick news glad happy fortunate luck worth
explain explained explaining mention tend happen seem lack lacking extra plenty
unsure english spelled overview table template ninth sentence replaced contradict gladly best evaluate
evaluated evaluation assess assessed assessment analyse analyze analysed analyzed analysis automatic
automatically alert warning exhibit exhibited display displayed feature characterise characterize align
aligned situate situated placed position positioned nearest evident primary secondary key important
interesting especially notable notably namely ratio metric numeric statistic statistical baseline margin
quick guide treat useful helpful mind remember interpret interpretation caution verify verified verification
specialist technician team immediately priority signal response heat heatmap focus concentrate concentrated
score scored localization available empty ordinary sense worry worried hesitate prefer wish curious ready
complete built learned learnt trained training data default rule visual camera point figure finding conclude
term language plain plainly straightforward honest honestly quickly briefly strictly rather neither entirely
safely purely widely highly fairly relatively extremely unlike remarkable remarkably striking strikingly
subtle subtly sharp sharply evenly context scene inform informed understood clearly assume assumed presume
noticeable attribute attributed account accounting
"""
_WORDS = frozenset(" ".join((_GRAMMAR, _SAYING, _THINGS, _JUDGING, _TALKING)).split())
_NO_ADVERBS = (
    "assembly",
    "daily",
    "curly",
    "supply",
    "anomaly",
    "family",
    "deadly",
    "costly",
    "subassembly",
    "monopoly",
)
_ENDINGS = (("ies", "y"), ("es", ""), ("s", ""), ("ed", ""), ("d", ""), ("ing", ""), ("ing", "e"), ("ly", ""),
            ("er", ""), ("r", ""), ("est", ""), ("st", ""), ("ed", "e"))  # fmt: skip
_TOKEN = re.compile(r"[^\W\d_][^\W_]*(?:'[^\W\d_]+)*")
_PARTS = re.compile(r"[;:,()]|\bbut\b|\bhowever\b|\bthough\b|\balthough\b|\band\b")
_SUPPOSED = re.compile(
    r"\b(?:often|usually|typically|commonly|generally|sometimes) (?:comes?|results?|arises?"
    r"|stems?) from [^,;.:]*|^\W*perhaps [^,;.:]*(?=:)"
)
_CODES = re.compile(r"\[?\br\d+\b\]?")
_TYPES = re.compile(rf"\b{KIND}\b")


def find_unread(words: str, names: Iterable[str], typed: bool = False) -> tuple[str, ...]:
    """The words of a spelled-out sentence that are on no list; `names` are what the record calls things.

    What a part of it says that nobody can tell may be called by any word, and where a region is `typed`, so may
    what such defects often come from.
    """
    words = _SUPPOSED.sub(" ", words) if typed else words
    stated = (part for part in _PARTS.split(words) if not CANNOT_TELL.search(part))
    words = _TYPES.sub(" ", _CODES.sub(" ", " ".join(stated).replace(NAME, " ")))
    own = {part for name in names for part in re.findall(r"[^\W\d_]+", name.casefold())}
    tokens = (token.partition("'")[0] for token in _TOKEN.findall(words))
    return tuple(dict.fromkeys(t for t in tokens if not is_known(t) and t not in own and t.rstrip("s") not in own))


def is_known(word: str) -> bool:
    """Whether a lower-case word, or what it is a form of, is on the list."""
    if word.endswith("ly") and len(word) > 4 and word not in _NO_ADVERBS:
        return True
    return word in _WORDS or any(
        word.endswith(old) and len(word) > len(old) + 2 and word[: -len(old)] + new in _WORDS
        for old, new in _ENDINGS
    )
