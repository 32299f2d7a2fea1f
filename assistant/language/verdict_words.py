"""The words by which a verdict is told: adjectives, nouns and verbs for good, review and defect, as rules.

They match spelled-out words (`sentences.spell`); `verdict_claims` weighs what they find.
"""

from __future__ import annotations

import re

from assistant.language.sentences import NAME

GOOD = (
    r"good|fine|ok|okay|acceptable|flawless|perfect|(?:defect|flaw|fault|damage|anomaly) free|intact"
    r"|undamaged"
    r"|unremarkable|sound|healthy|normal|clean|spotless|faultless|conforming|all right|alright"
    r"|unblemished|harmless|suitable|fit|usable|satisfactory|compliant|cleared|excellent|pristine"
    r"|serviceable|unaffected|conformant"
)
BAD = (
    r"defective|faulty|bad|broken|damaged|flawed|abnormal|anomalous|unacceptable|unsafe|nonconforming"
    r"|non conforming"
    r"|ng|defect|rejected|scrap|unusable|unfit|unsuitable|unsatisfactory|problematic|non compliant"
    r"|noncompliant|substandard"
    r"|a reject|a fail|a failure"
)
STRONG = r"defects?|flaws?|faults?|damages?|fails?|failures?"
WEAK = r"anomal(?:y|ies)|abnormalit(?:y|ies)|problems?|issues?|irregularit(?:y|ies)|imperfections?|blemish(?:es)?"
WEAK += r"|deviations?|discontinuit(?:y|ies)|concerns?|oddit(?:y|ies)|suspicions?"
ADVERB = (
    r"(?:not|never|no longer|to|be|a|an|the|in|fact|very|quite|all|just|still|also|indeed|as|like|so|too"
    r"|far|from|fully"
    r"|anything|but|perhaps|maybe|of|course|been|being|[a-z]+ly|most likely)"
)
BE = (
    r"(?:is|are|was|were|be|being|been|looks?|seems?|appears?|remains?|stays?|considered|deemed|judged"
    r"|rated|called"
    r"|declared|found|it's|classified|graded|marked|flagged|labell?ed|regarded|treated|assessed|evaluated"
    r"|verified|confirmed"
    r"|determined|identified|listed|recorded|reported|described|reads|stands|becomes?|proves|turns out"
    r"|comes? out|counts"
    r"|(?:makes?|renders?|leaves?|keeps?)(?: it| this(?: [\w\u00a4]+)?| the [\w\u00a4]+))"
)
NO = (
    r"(?:no|not|never|nothing|without|zero|neither|nor|none|hardly|free (?:of|from)|lacks?|absence of"
    r"|devoid of|nowhere)"
)
PREDICATE = re.compile(
    rf"\b({BE}(?: {ADVERB}){{0,4}}?) ({GOOD}|{BAD})\b(?! (?:line|jagged|thread|detail|grain|up|off))"
)
ALONE = re.compile(
    rf"^\W*(?:(?:all|yes|no|not|so|still|clearly|overall|it|part|this|picture) )*({GOOD}|{BAD}|pass"
    rf"|passed|fail|failed"
    r"|reject|approved?|accept(?:ed)?)\W*$"
)
ARTICLE_GOOD = re.compile(
    rf"\b{BE} (?:\w+ly )?(?:a|an) (?:\w+ly )?({GOOD}) (?!match|fit|guess|idea|reason|question|guide"
    rf"|example|score)\w+"
)
ATTRIBUTE_BAD = re.compile(
    r"\b(?:a|an|the|this|such|clearly|one) (?:\w+ly )?(?:defective|faulty|broken|damaged|flawed"
    r"|unacceptable|unsuitable|unusable"
    r"|abnormal) [a-z\u00a4]+"
)
NOUN = re.compile(
    rf"(?:^|\b(?:a|an|the|this|that|these|those|one|two|three|\d+|has|have|had|shows?|contains?|with"
    rf"|some|several|many|its"
    rf"|multiple|any|found|detected|is|are|of|and|no|not|without|see|sees|from|zero|be"
    rf"|for)\b)(?: [a-z]+){{0,2}}? ?"
    rf"\b(?P<noun>(?P<strong>{STRONG})|{WEAK})\b"
)
NOTHING = re.compile(
    r"\bnothing (?:[a-z]+ ){0,2}?(?:wrong|unusual|abnormal|suspicious|defective|bad|anomalous|worr\w+"
    r"|stands? out|stood out"
    r"|found|exceed\w*|is there|visible|strange|odd|asks for more|of concern|out of the ordinary"
    r"|to report|to see|speaks? against|amiss|needs?|requires?|calls for|deserves|of note|noteworthy"
    r"|of interest|notable"
    r"|conspicuous|deviat\w+"
    r"|differs|to fear|to flag|concerning|off\b)"
    r"|\b(?:found|turned up|turns up|reveal(?:s|ed)|show(?:s|ed)|saw|see|detect(?:s|ed)|finds?"
    r"|notice[ds]?) nothing\b"
    r"(?! (?:certain|more|about|of (?:type|depth|cause)))"
)
WRONG = re.compile(
    r"\b(?:something|somewhat|anything) (?:is |looks? |seems? )?(?:\w+ )?(?:wrong|off|amiss|defective"
    r"|broken|abnormal"
    r"|concerning)\b"
)
PASSING = re.compile(
    r"\b(?:pass(?:es|ed)?|accept(?:ed|s)?|approve[ds]?|ship(?:ped|s)?|let (?:it|this(?: \w+)?"
    r"|the \w+) (?:pass"
    r"|through|go|proceed|continue)|kept? in (?:use|service|production)|good to go|can (?:go|proceed"
    r"|continue|move|stay)|suitable for|fit for|safe to \w+"
    r"|use (?:it|this|the part)|used as it is|released?)\b"
)
FAILING = re.compile(
    r"\b(?:reject(?:s|ed)?|fail(?:s|ed)?|scrap(?:ped)?|discard(?:ed)?|(?:set|put|setting|putting) (?:it"
    r"|this|the \w+|this \w+)? ?aside"
    r"|sent? (?:it |back )?(?:to|for) (?:rework|scrap|repair)|hold (?:it|this|the \w+) back|held back"
    r"|pulled?(?: it| this)? (?:from|out)"
    r"|taken? out|stopped|removed? from"
    r"|throw (?:it|this) away"
    r"|bin it|pull (?:it|this) out|quarantine[ds]?)\b"
)
NORM = (
    r"(?:standards?|requirements?|specifications?|specs?|criteri\w+|expectations?|norms?|tolerances?"
    r"|quality)"
)
MEETS = re.compile(
    r"\b(?:meets?|met|satisf(?:y|ies)|fulfil\w*|conform\w*|compl(?:y|ies|iant)|match(?:es)?|passes"
    r"|agrees?|in line|consistent"
    rf"|on (?:a )?par|up|within)(?: (?:to|with))?(?: (?!not\b)\w+){{0,3}}? (?:{NORM}|references?|batch"
    rf"|range|bounds)\b"
    r"|\bin (?:\w+ )?(?:good|fine|perfect|excellent|great|top|proper|best|working) (?:shape|condition"
    r"|state|order)\b|\bin order\b(?! to)"
    r"|\bas (?:it should be|expected|intended)\b"
)
MISSES = re.compile(
    rf"\b(?:falls? short|short of|fails? to (?:meet|satisfy|pass|conform)|violat\w+|out of"
    rf"|outside(?: of)?|below)(?: \w+){{0,3}}? {NORM}\b"
    r"|\bin (?:\w+ )?(?:bad|poor) (?:shape|condition|state|order)\b|\bout of order\b|\bbeyond (?:repair"
    r"|hope|tolerance)\b"
)
STRAYS = re.compile(r"\b(?:deviat(?:es?|ed)|departs?|strays?|differs?|diverges?)\b")
NEEDLESS = re.compile(
    r"\b(?:no|not|nothing|without|never)\b(?: (?!certain|clear)\w+){0,3}? (?:need\w*|requir(?:e|es|ed)"
    r"|necessary|called for|matters?)\b"
)
NEEDED = re.compile(
    r"\b(?:needs?|requires?|deserves?|calls? for)(?: \w+){0,3}? (?:attention|repair|rework|inspection"
    r"|check\w*|look|replac\w+)\b"
    r"|\b(?:should|must|has to|have to|ought to|needs? to) (?:be|have) (?:\w+ )?(?:check\w*|inspected"
    r"|examined|looked|reviewed|repaired"
    r"|replaced|discarded|removed|stopped|pulled)\b"
)
MISJUDGED = re.compile(
    r"\bverdict(?: (?:of|as) \w+)? (?:is|was|seems|must be) (?:\w+ly )?(?:wrong|incorrect|false|mistaken"
    r"|a mistake)\b"
)
LIKE_OTHERS = re.compile(
    r"\b(?:is|looks?|appears?|seems?)(?: \w+){0,2}? (?:like|similar to|the same as|identical to"
    r"|no different from) (?:the |its )?"
    r"(?:others?|rest|references?)\b"
)
PERSON = re.compile(
    r"\b(?:person|human|someone|somebody|operator|expert|colleague|specialist) (?:needs? to|should|must"
    r"|ought to)\b"
)
FALSE_ALARM = re.compile(
    r"\b(?:is|was|be|just|only|as|probably|likely) (?:a |just |only |probably |likely )*false alarm\b"
)
VERDICT = re.compile(
    r"(?<!no )\bverdict\b(?:\s*(?:itself|here|in the record|for this (?:part|picture)|on this (?:part"
    r"|picture)))?\s*"
    r"(?P<be>(?:is|was|are|of|as|stays?|remains?|says?|reads?|should be|must be|has been|stands at"
    r"|changed to|set to|would be"
    rf"|be|becomes?|equals|=|:|-|\u2013)?)\s*(?P<not>(?:not|no longer|never|no)?)\s*(?:a |an |at "
    rf"|\w+ly )*\W?(?P<word>[a-z]+|{NAME})"
)
CLASSES = {
    **dict.fromkeys(
        "good pass passed passing ok okay fine acceptable accept accepted normal clean perfect".split(), "good"
    ),
    **dict.fromkeys(
        "defect defective defects reject rejected fail failed bad ng faulty anomalous scrap".split(), "defect"
    ),
    **dict.fromkeys("review borderline unclear uncertain unknown undecided inconclusive".split(), "review"),
    "unrated": "unrated",
}
REVIEW = re.compile(
    r"\b(?:gr[ea]y zone|unsettled|(?:needs?|requires?|asks for|sent (?:to|for)|marked for|under|up for"
    r"|flagged for) (?:a "
    r"|an )?(?:manual |human |closer )?"
    r"review|borderline|undecided|inconclusive)\b"
)
OPEN = re.compile(
    r"\b(?:(?:nothing|little) is known|not (?:certain|clear|sure|settled|decided) (?:that|whether|if)"
    r"|whether|if|unless|in case|would"
    r"|had it|you (?:say|said|think|claim|asked|ask|believe|call)"
    r"|words can not"
    r"|(?:can not|unable to|impossible to|hard to|do not|does not) (?:tell|say|know|judge|confirm|agree"
    r"|rule out|exclude|see what"
    r"|change|alter|set|override))\b"
)
DOUBT = re.compile(
    r"\b(?:may|might|could|possibl[ye]|perhaps|maybe|potential(?:ly)?|suspected|suspicion|candidate)\b"
)
ELSEWHERE = re.compile(
    r"\b(?:rest of|elsewhere|other(?:wise)?|others|remaining|remainder|outside|apart from|except|besides"
    r"|aside from|more|else"
    r"|second|further|additional)\b"
)
UNUSUAL = re.compile(
    rf"\b{BE}(?: {ADVERB}){{0,4}}? (?:unusual|odd|strange|suspicious|peculiar|conspicuous|off)\b"
    rf"|\bsomething (?:\w+ )?(?:unusual|odd|strange|suspicious)\b"
)
UNDECIDED = re.compile(
    r"\bnot (?:quite |so )?(?:clearly|surely|certainly|definitely|necessarily|plainly|fully|entirely)\b"
)
TYPICAL = re.compile(
    r"\b(?:is|are|looks?|seems?|works?) (?:\w+ )?(?:just |every bit )?as good as\b"
    r"|\bwhat a good \w+ (?:would|should) (?:have|score|get|show)\b"
    r"|\b(?:typical|normal|usual|common) (?:\w+ )?for (?:a )?good\b"
)
UNTYPICAL = re.compile(
    r"\b(?:high|higher|unusual|rare|strange|odd|too \w+) (?:\w+ )?for (?:a )?good (?:part|picture|piece"
    r"|one|\u00a4)\b"
)
GENERAL = re.compile(
    r"too \w+ for (?:a )?(?:good|defect)|between good and (?:a )?defect(?:ive)?|examples? of (?:a "
    r"|the )?defects?|types? of (?:the "
    r"|a )?(?:defects?|flaws?|damage)|(?:defect"
    r"|flaw) (?:types?|class\w*)"
    r"|anomaly (?:scores?|maps?|values?|detect\w+)|false alarms?|wrong verdict|not only"
    r"|kinds? of (?:defects?|flaws?)"
    r"|(?:than|from|to|as|like|unlike|against|with) (?:a |an |the )?(?:normal|good|perfect"
    r"|clean)(?: \w+)?(?: (?:parts?|pictures?))?"
    r"|(?:good|normal|clean) (?:reference |looking )?(?:parts|pictures|references|pieces|products|cells"
    r"|items|samples|ones|images)"
    r"|(?:no|any|each|every|one|1|\d+|hardly any) (?:good|normal) (?:reference )?(?:part|picture|piece"
    r"|reference)"
    r"|(?:a|the) good (?:part|picture|piece|reference) (?=(?:would|scores?|has|looks?|that)\b)"
)
PLACED = re.compile(
    r"\b(?:top|bottom|center|centre|middle|upper|lower|corner|edge)\b|\b(?:the|its|far|and|or) (?:left"
    r"|right)\b|\b(?:left|right) (?:hand|side|half"
    r"|part|corner|region|area|edge|border|third)\b"
)
PARTS = re.compile(
    r"[;:,()\u2013\u2014]|\bbut\b|\bhowever\b|\balthough\b|\bthough\b|\bwhile\b|\band\b|\bso\b"
    r"|\bbecause\b|\bsince\b"
)
NORMS = (
    (MEETS, "good", "defect"),
    (MISSES, "defect", "good"),
    (STRAYS, "possible", "good"),
    (LIKE_OTHERS, "good", "defect"),
)
"""(rule, what it speaks for, what it speaks for when denied)."""
