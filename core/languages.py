"""The languages of the paper: code, English and own name, script (ISO 15924), family and writing direction.

The 84 languages of adapter training are those of Table 8. `eo` and `vo` are the paper's unseen languages (Tables 9 and
10). `nb` is tested in Tables 9 and 10 although Table 8 lists only `no`; `fo` is an unseen language of the CLDR graph.
A language outside this table is described by its code alone.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Group = Literal["Sup", "ZS-In", "ZS-Un"]
GROUPS: tuple[Group, ...] = ("Sup", "ZS-In", "ZS-Un")
GROUP_MEANING: dict[Group, str] = {
    "Sup": "seen in adapter training and in fine-tuning",
    "ZS-In": "seen in adapter training only",
    "ZS-Un": "seen in neither",
}


@dataclass(frozen=True, slots=True)
class Language:
    """One language. `script` is an ISO 15924 code, `direction` is `ltr` or `rtl`."""

    code: str
    name: str
    own_name: str
    script: str
    family: str
    direction: str


_TABLE = """
af|Afrikaans|Afrikaans|Latn|Germanic
an|Aragonese|aragonés|Latn|Romance
ar|Arabic|العربية|Arab|Semitic
ast|Asturian|asturianu|Latn|Romance
az|Azerbaijani|azərbaycan|Latn|Turkic
bar|Bavarian|Boarisch|Latn|Germanic
be|Belarusian|беларуская|Cyrl|Slavic
bg|Bulgarian|български|Cyrl|Slavic
bn|Bengali|বাংলা|Beng|Indo-Aryan
br|Breton|brezhoneg|Latn|Celtic
bs|Bosnian|bosanski|Latn|Slavic
ca|Catalan|català|Latn|Romance
ceb|Cebuano|Cebuano|Latn|Austronesian
cs|Czech|čeština|Latn|Slavic
cy|Welsh|Cymraeg|Latn|Celtic
da|Danish|dansk|Latn|Germanic
de|German|Deutsch|Latn|Germanic
el|Greek|Ελληνικά|Grek|Hellenic
en|English|English|Latn|Germanic
es|Spanish|español|Latn|Romance
et|Estonian|eesti|Latn|Uralic
eu|Basque|euskara|Latn|Basque
fa|Persian|فارسی|Arab|Iranian
fi|Finnish|suomi|Latn|Uralic
fr|French|français|Latn|Romance
fy|Western Frisian|Frysk|Latn|Germanic
ga|Irish|Gaeilge|Latn|Celtic
gl|Galician|galego|Latn|Romance
gu|Gujarati|ગુજરાતી|Gujr|Indo-Aryan
he|Hebrew|עברית|Hebr|Semitic
hi|Hindi|हिन्दी|Deva|Indo-Aryan
hr|Croatian|hrvatski|Latn|Slavic
hu|Hungarian|magyar|Latn|Uralic
hy|Armenian|հայերեն|Armn|Armenian
id|Indonesian|Indonesia|Latn|Austronesian
is|Icelandic|íslenska|Latn|Germanic
it|Italian|italiano|Latn|Romance
ja|Japanese|日本語|Jpan|Japonic
jv|Javanese|Jawa|Latn|Austronesian
ka|Georgian|ქართული|Geor|Kartvelian
kk|Kazakh|қазақ тілі|Cyrl|Turkic
kn|Kannada|ಕನ್ನಡ|Knda|Dravidian
ko|Korean|한국어|Kore|Koreanic
la|Latin|Latina|Latn|Italic
lb|Luxembourgish|Lëtzebuergesch|Latn|Germanic
lt|Lithuanian|lietuvių|Latn|Baltic
lv|Latvian|latviešu|Latn|Baltic
mk|Macedonian|македонски|Cyrl|Slavic
ml|Malayalam|മലയാളം|Mlym|Dravidian
mn|Mongolian|монгол|Cyrl|Mongolic
mr|Marathi|मराठी|Deva|Indo-Aryan
ms|Malay|Melayu|Latn|Austronesian
my|Burmese|မြန်မာ|Mymr|Sino-Tibetan
nds|Low Saxon|Neddersass’sch|Latn|Germanic
ne|Nepali|नेपाली|Deva|Indo-Aryan
nl|Dutch|Nederlands|Latn|Germanic
nn|Norwegian Nynorsk|norsk nynorsk|Latn|Germanic
no|Norwegian|norsk|Latn|Germanic
oc|Occitan|occitan|Latn|Romance
pl|Polish|polski|Latn|Slavic
pt|Portuguese|português|Latn|Romance
ro|Romanian|română|Latn|Romance
ru|Russian|русский|Cyrl|Slavic
scn|Sicilian|sicilianu|Latn|Romance
sco|Scots|Scots|Latn|Germanic
sh|Serbo-Croatian|srpskohrvatski|Latn|Slavic
sk|Slovak|slovenčina|Latn|Slavic
sl|Slovenian|slovenščina|Latn|Slavic
sq|Albanian|shqip|Latn|Albanian
sr|Serbian|српски|Cyrl|Slavic
sv|Swedish|svenska|Latn|Germanic
sw|Swahili|Kiswahili|Latn|Bantu
ta|Tamil|தமிழ்|Taml|Dravidian
te|Telugu|తెలుగు|Telu|Dravidian
th|Thai|ไทย|Thai|Kra-Dai
tl|Tagalog|Tagalog|Latn|Austronesian
tr|Turkish|Türkçe|Latn|Turkic
tt|Tatar|татар|Cyrl|Turkic
uk|Ukrainian|українська|Cyrl|Slavic
ur|Urdu|اردو|Arab|Indo-Aryan
uz|Uzbek|o‘zbek|Latn|Turkic
vi|Vietnamese|Tiếng Việt|Latn|Austroasiatic
war|Waray|Winaray|Latn|Austronesian
zh|Chinese|中文|Hans|Sino-Tibetan
eo|Esperanto|Esperanto|Latn|Constructed
vo|Volapük|Volapük|Latn|Constructed
nb|Norwegian Bokmål|norsk bokmål|Latn|Germanic
fo|Faroese|føroyskt|Latn|Germanic
"""
_RIGHT_TO_LEFT = {"Arab", "Hebr"}

LANGUAGES: dict[str, Language] = {
    row[0]: Language(row[0], row[1], row[2], row[3], row[4], "rtl" if row[3] in _RIGHT_TO_LEFT else "ltr")
    for row in (line.split("|") for line in _TABLE.split("\n") if line)
}
PAPER_LANGUAGES: tuple[str, ...] = tuple(LANGUAGES)[:84]


def describe(code: str) -> Language:
    """The language of `code`, or one that carries only its code where the table has none."""
    return LANGUAGES.get(code) or Language(code, code, code, "", "", "ltr")


def group_of(language: str, adapter_languages: Collection[str], task_languages: Collection[str]) -> Group:
    """The language group of one run (paper, section 5.2), computed and never looked up.

    Args:
        language: Code of the tested language.
        adapter_languages: Languages of the integration corpus that the adapters saw.
        task_languages: Languages of the task's training set.
    """
    if language in task_languages:
        return "Sup"
    return "ZS-In" if language in adapter_languages else "ZS-Un"
