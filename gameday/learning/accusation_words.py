"""The words by which accusations are known: who is a person, and what only a person gets wrong.

Each name is a piece of a regular expression, read without regard to case, save `GIVEN_NAME`. Every
group of words is as long as reports need it: a word that machines share with people is better left
out than found wrongly.
"""

from __future__ import annotations


def _any(*words: str) -> str:
    return "(?:" + "|".join(words) + ")"


_ROLE = _any(
    r"(?:\w+ )?engineers?",
    r"developers?",
    r"devs?",
    r"programmers?",
    r"coders?",
    r"operators?",
    r"(?:system )?admin(?:istrator)?s?",
    r"sysadmins?",
    r"dbas?",
    r"sres?",
    r"on-call(?: engineer| person)?",
    r"(?:first )?responders?",
    r"technicians?",
    r"contractors?",
    r"consultants?",
    r"interns?",
    r"trainees?",
    r"colleagues?",
    r"co-?workers?",
    r"employees?",
    r"team ?mates?",
    r"(?:product|release|project|engineering|incident|duty|shift|account|delivery) managers?",
    r"(?:the|a|our|their|his|her) managers?",
    r"(?:team|tech|shift|on-call|incident|squad) leads?",
    r"directors?",
    r"executives?",
    r"reviewers?",
    r"approvers?",
    r"authors?(?: of [^,;.]{1,40}?)?",
    r"maintainers?",
    r"analysts?",
    r"scientists?",
    r"architects?",
    r"testers?",
    r"(?:incident )?commanders?",
    r"staff",
    r"persons?",
    r"people",
    r"guys?",
    r"team members?",
    r"members? of (?:the )?(?:\w+ )?(?:team|staff)",
    r"(?:\w+ )?teams?",
    r"crew",
)

PERSON = (
    rf"{_ROLE}(?-i: [A-Z])?(?: (?:on|in) (?:duty|call|charge|shift)| of the [a-z ]{{2,30}}?"
    r"| \w+ing [^,;.]{2,40}?)?"
)
"""People by their roles, with what may stand between such a noun and its verb."""

SOMEBODY = _any(r"he", r"she", r"some(?:one|body)", r"whoever", r"one of us", r"one of them")
"""Pronouns that stand for a person and nothing else."""

NOBODY = _any(
    r"nobody", r"no one", r"none of us", r"no-one", r"neither of them", r"any(?:one|body)"
)

MAYBE_PERSON = _any(
    r"they",
    r"who",
    r"operations",
    r"ops",
    r"management",
    r"leadership",
    r"support",
    r"qa",
    r"security",
    r"vendor",
    r"users?",
    r"everyone",
    r"everybody",
    r"i",
    r"we",
)
"""What may be people or machines; and we, who may say what we did."""

GIVEN_NAME = (
    r"(?<![.\w`@/#-])(?!(?:The|This|That|These|Those|It|Its|There|We|Our|You|Your|They|Their"
    r"|He|She"
    r"|His|Her|My|In|On|At|As|An|After|Before|When|While|Since|Until|If|Because|However|But|And|So"
    r"|Then|No|Not|Nothing|All|Both|Each|Every|Some|One|Two|Three|Which|What|Why|How|Who|Where|Had"
    r"|Was|Were|Is|Are|Did|Does|Do|Root|Cause|Also|Only|Once|Even|Yet|Still|Again|Later|Finally"
    r"|January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|Google|Amazon|Azure|Microsoft"
    r"|Cloudflare|Fastly|Akamai|Kubernetes|Prometheus|Alertmanager|Grafana|Redis|Postgres|Kafka"
    r"|Docker|Jenkins|Terraform|Ansible|Helm|Istio|Envoy|Linkerd|Nginx|Apache|Consul|Vault|Nomad"
    r"|Cassandra|Elastic|Elasticsearch|Kibana|Jaeger|Tempo|Loki|Datadog|Sentry|Slack|Travis"
    r"|Linux|Debian|Ubuntu|Windows|Java|Python|Rust|Ruby|Node|Git|Jira|Zookeeper|Memcached|Mongo"
    r"|Spark|Airflow|Argo|Flux|Binder|Jupyter|Hub|Culler|Proxy|Gateway|Stripe|Twilio|Oracle"
    r"|Client|Server|Service|Services|Database|Deploy|Alert|Pod|Pods|Node|Nodes|Cluster"
    r"|Traffic)\b)"
    r"[A-Z][a-zà-ÿ]+(?: [A-Z][a-zà-ÿ]+)?"
)
"""A word that is written like the name of a person, and is none of a product we know of."""

ADVERB = r"(?:(?:\w+ly|then|also|just|still|even|both|all|either|again|never|once) )*"

HUMAN_FAULT = _any(
    r"forg[eo]t",
    r"forgotten",
    r"neglect(?:ed|s)?",
    r"overlook(?:ed|s)?",
    r"mis(?:read|understood|judged|took|typed|interpreted|handled|calculated|remembered"
    r"|spelled|heard|placed|labelled|communicated)",
    r"(?:had )?fat-fingered",
    r"bungl(?:ed|es)",
    r"botch(?:ed|es)",
    r"fumbled",
    r"blundered",
    r"panick(?:ed|s)",
    r"rush(?:ed|es)",
    r"screwed up",
    r"messed up",
    r"mixed up",
    r"slipped up",
    r"confused",
    r"wasted",
    r"dozed",
    r"slept",
    r"refus(?:ed|es)",
    r"insist(?:ed|s)",
    r"gave up",
    r"cut corners",
    r"(?:took|chose|went for) the (?:lazy|easy)",
    r"assumed",
    r"presumed",
    r"(?:had|have|has|was|were) been (?:told|warned|reminded|asked|instructed)",
    r"(?:was|were) (?:told|warned|distracted|careless|complacent|inattentive|too (?:slow|tired"
    r"|busy)|slow to|unprepared|unqualified|negligent|lazy|unaware|tired|at fault)",
    r"(?:ha(?:d|s|ve) not been|was not|were not|wasn't|weren't) (?:paying attention|careful"
    r"|trained|qualified|diligent|listening)",
    r"lost (?:control|track|sight)",
    r"did an? (?:poor|bad|terrible|sloppy)",
    r"made (?:an?|the|another|several|some) (?:\w+ )?(?:mistake|error|typo|assumption|blunder"
    r"|bad|poor|wrong|incorrect)\w*",
    r"thought(?:lessly)",
    r"(?:did not|didn't|never) (?:think|bother|care|pay attention|realise|realize|listen"
    r"|follow|read|understand|consider|take (?:the )?(?:time|care|trouble))",
    r"fail(?:ed|s)? to (?:notice|communicate|consider|anticipate|realise|realize|understand"
    r"|think|read|follow|plan|inform|warn|document|escalate|foresee|tell|learn|review|check|test|verify|ask|look)",
    r"ignored (?:the |a |an |all |our |several |repeated )?(?:\w+ )?(?:warnings?|advice"
    r"|alerts?|pages?|procedures?|polic(?:y|ies)|instructions?|signs?|messages?)",
)
"""What people get wrong and machines do not: whoever it is said of is a person."""

FAULT = _any(
    HUMAN_FAULT,
    r"ignor(?:ed|es)",
    r"omitted",
    r"skip(?:ped|s)",
    r"miss(?:ed|es)",
    r"mis\w+ed",
    r"dismissed",
    r"lack(?:ed|s)",
    r"broke",
    r"caused",
    r"triggered",
    r"introduced",
    r"delayed",
    r"fail(?:ed|s) to",
    r"failed",
    r"(?:brought|took) (?:\w+ ){1,3}down",
    r"(?:did not|didn't|does not|doesn't|had not|hadn't|never|could not|couldn't) "
    r"(?!know|have\b|had\b|receive|get\b|see\b|need|hear)\w+",
    r"(?:is|are|was|were) (?:to blame|at fault|responsible for|the (?:root )?cause|the reason)",
)
"""What a person is accused of; machines do most of these as well."""

SLIP = _any(
    r"wrong",
    r"wrongly",
    r"incorrect(?:ly)?",
    r"accidental(?:ly)?",
    r"inadvertent(?:ly)?",
    r"mistaken(?:ly)?",
    r"erroneous(?:ly)?",
    r"improper(?:ly)?",
    r"unintentional(?:ly)?",
    r"by mistake",
    r"by accident",
    r"hastily",
    r"in (?:a hurry|haste)",
    r"although",
    r"even though",
    r"anyway",
    r"without (?!affecting|disrupting|causing|interrupting|losing|impact|further|any (?:impact"
    r"|loss|effect)|downtime|success|effect)"
    r"(?:\w+ing|(?:the|a|an|any|our|its) \w+|permission|approval|notice|asking|backup|tests?)",
)
"""What makes a deed of a person a slip."""

JUDGEMENT = _any(
    r"careless(?:ly|ness)?",
    r"negligen(?:t|tly|ce)",
    r"reckless(?:ly|ness)?",
    r"foolish(?:ly|ness)?",
    r"irresponsib(?:le|ly|ility)",
    r"incompeten(?:t|tly|ce)",
    r"inexperience(?:d)?",
    r"inattenti(?:on|ve|veness)",
    r"complacen(?:t|cy)",
    r"unprofessional(?:ly|ism)?",
    r"thoughtless(?:ly|ness)?",
    r"stupid(?:ly|ity)?",
    r"ignorance",
    r"laziness",
    r"haste",
    r"sloppy (?!quorum|counter|phrase)",
    r"sloppi(?:ly|ness)",
    r"(?:poor|bad|wrong|questionable) (?:judge?ment|decisions?|choices? by|call by|discipline"
    r"|work)",
    r"lacks? of (?:attention|care|discipline|diligence|experience|judge?ment|common sense"
    r"|competence|ownership|professionalism|focus|concentration|vigilance|expertise)",
    r"lapses? (?:of|in) (?:\w+ )?(?:concentration|attention|judge?ment|care|focus|discipline"
    r"|communication)",
    r"(?:be|been|being) more (?:careful|diligent|attentive|vigilant)",
    r"(?:pay|paid|paying) (?:more|closer|enough|sufficient|better) attention",
    r"despite (?:being (?:aware|told|warned)|knowing|having (?:been|known)"
    r"|(?:\w+ )?(?:instructions?|warnings?|reminders?|advice|training|procedures?))",
    r"(?:had|have) no business",
    r"(?:obviously|clearly|simply) (?:did not|didn't|does not|doesn't|failed to|had not"
    r"|was not|were not)",
    r"(?:could|would) not be bothered",
    r"bothered to",
    r"knew better",
    r"people problem",
)
"""What is said of people, and of nothing else."""

ERROR_OF_PEOPLE = _any(
    r"(?:human|operator|user|pilot|manual|admin(?:istrator)?|engineer|developer|personal"
    r"|individual)"
    r"(?:'s|s')? (?:errors?|mistakes?|failures?|faults?|misunderstandings?|oversights?|slips?"
    r"|misconfigurations?)"
    r"(?! (?:rates?|pages?|messages?|codes?|logs?|budgets?|count|handling|metric))",
    r"pebkac",
    r"finger trouble",
    r"(?:a|an|the|this|our|my|his|her|their|one|simple|silly|stupid|honest) (?:\w+ )?mistakes?",
    r"mistakes? (?:was|were|by|of|in|on|made)",
    r"(?:an|the|this|our|my|his|her|their|simple) (?:\w+ )?oversight(?! (?:board|committee"
    r"|body|process|role))",
    r"(?:his|her|my|our) (?:\w+ )?(?:typo|error|fault|failure|assumption|misunderstanding"
    r"|carelessness)",
)

CHANGE = _any(
    r"(?:\w+ )?(?:changes?|commits?|push|merge|deploy|script|quer(?:y|ies)|pull request|pr"
    r"|typo|code|patch|fix)"
)

LACK = _any(
    r"(?:\w+ )?(?:failure to|mistakes?|errors?|oversight|carelessness|negligence"
    r"|misunderstanding|fault|inability to|decision|lack of)"
)

SEEN_LATE = _any(
    r"avoided",
    r"prevented",
    r"averted",
    r"noticed",
    r"caught",
    r"detected",
    r"spotted",
    r"found",
    r"seen",
    r"discovered",
    r"recogni[sz]ed",
    r"identified",
    r"foreseen",
    r"anticipated",
    r"known",
    r"tested",
    r"reviewed",
    r"checked",
    r"verified",
    r"escalated",
    r"communicated",
    r"documented",
    r"done",
    r"thought",
    r"merged",
    r"deployed",
    r"released",
    r"approved",
    r"fixed",
    r"handled",
)
"""What hindsight knows that people ought to have done."""

UNCHECKED = _any(
    r"check",
    r"double-check",
    r"test",
    r"tell",
    r"ask",
    r"look",
    r"review",
    r"verify",
    r"notice",
    r"warn",
    r"inform",
    r"update",
    r"run",
)
"""What somebody with a name is said not to have done."""

SHIPPED = _any(
    r"deployed",
    r"pushed",
    r"merged",
    r"shipped",
    r"committed",
    r"released",
    r"wrote",
    r"approved",
    r"uploaded",
    r"applied",
    r"rolled out",
)

UNSOUND = _any(r"faulty", r"bad", r"buggy", r"broken", r"untested", r"unreviewed", r"incomplete")

HARMED = _any(
    r"(?:took|brought|knocked) (?:[^,.;]{1,40} )?down",
    r"broke",
    r"caused",
    r"triggered",
    r"crashed",
    r"wiped",
    r"led to",
    r"introduced",
    r"corrupted",
)
