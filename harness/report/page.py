"""The page of the report: markup and style. What stands on it is decided in `report`."""

STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #5b636d; --page: #ffffff; --panel: #f6f7f9; --line: #d9dde2;
  --link: #0b5cad; --good: #00694b; --good-bg: #e0f3ec; --bad: #9a3c00; --bad-bg: #fbe9dd; --plain-bg: #eceff2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --soft: #a3abb5; --page: #16181c; --panel: #1f2227; --line: #3a3f47; --link: #7db8f5;
    --good: #6fd3b0; --good-bg: #163a30; --bad: #f2a36b; --bad-bg: #46291a; --plain-bg: #2c3038; }
  .plot [class$="tick"] text, .plot text[class*="title"], .plot .legendtext, .plot .annotation-text,
  .plot .cbaxis text { fill: #d5d9de !important; }
  .gridlayer path { stroke: #3a3f47 !important; }
  .plot [class*="lines-above"] { stroke: #7b828c !important; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 2.5rem 1.5rem 5rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.4rem; margin: 3.2rem 0 .8rem; padding-top: .9rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.1rem; margin: 2.4rem 0 .3rem; }
p, ul, ol { margin: .5rem 0 .9rem; max-width: 46rem; }
a { color: var(--link); }
code, pre { font: .87em/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .8rem 1rem; overflow-x:
auto; }
.lead { color: var(--soft); margin-bottom: 1.4rem; }
.soft { color: var(--soft); font-size: .9rem; }
nav { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1.2rem; font-size:
.95rem; }
nav ol { margin: 0; padding-left: 1.2rem; max-width: none; }
nav .tasks { display: flex; flex-wrap: wrap; gap: .1rem .9rem; list-style: none; padding: 0; font-size: .87rem; }
.scroll { overflow-x: auto; margin: .8rem 0 1.2rem; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .42rem .7rem .42rem 0; border-bottom: 1px solid var(--line);
}
th { font-weight: 600; border-bottom-width: 2px; white-space: nowrap; }
td.number, th.number { text-align: right; white-space: nowrap; }
th.why { padding-left: 1rem; }
th.wide { white-space: normal; min-width: 5.5rem; }
td.name { white-space: nowrap; }
ul.lines { max-width: none; padding: 0; list-style: none; font-size: .88rem; }
ul.lines li { margin: .25rem 0; display: grid; grid-template-columns: max-content 1fr; gap: 0 .6rem;
  align-items: start; }
td.why { min-width: 8rem; width: 34%; padding-left: 1rem; }
.label { display: inline-block; border-radius: 4px; padding: .05rem .45rem; background: var(--plain-bg); white-space:
nowrap; }
td .label { white-space: normal; min-width: 6.5rem; }
.label.good { color: var(--good); background: var(--good-bg); }
.label.bad { color: var(--bad); background: var(--bad-bg); }
.label.emergent { font-weight: 600; }
details summary { cursor: pointer; }
details ul { margin: .3rem 0 .2rem; padding-left: 1.1rem; }
figure { margin: .6rem 0 1.4rem; }
figure .plot { overflow-x: auto; }
figure .plot > div { min-width: 640px; }
figcaption { color: var(--soft); font-size: .86rem; max-width: 52rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.4rem; font-size: .93rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
dl.card { font-size: .88rem; gap: .1rem 1rem; margin: .3rem 0 .8rem; }
dl.card pre { margin: 0 0 .2rem; padding: .3rem .6rem; white-space: pre-wrap; }
.answer { margin: 1rem 0; } .answer ul { font-size: .93rem; }
footer { margin-top: 3rem; color: var(--soft); font-size: .86rem; }
figure.live .still, figure:not(.live) .plot { display: none; }
.still { overflow-x: auto; }
.still svg { display: block; width: 100%; height: auto; font-family: Arial, "Liberation Sans", Helvetica, sans-serif; }
@media (prefers-color-scheme: dark) {
  .still > svg { fill: var(--ink); }
  .still > svg > .grid { stroke: var(--line); }
}
@page { size: A4; margin: 15mm; }
@media print {
  :root { color-scheme: light; --ink: #1f2328; --soft: #5b636d; --page: #ffffff; --panel: #f6f7f9; --line: #d9dde2;
    --link: #1f2328; --good: #00694b; --good-bg: #e0f3ec; --bad: #9a3c00; --bad-bg: #fbe9dd; --plain-bg: #eceff2; }
  .still > svg { fill: #222222; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  figure.live .still { display: block; }
  figure .plot { display: none; }
  figure, .still, h2 + p { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  tr { break-inside: avoid; }
  .still svg { max-height: 210mm; }
  .scroll { overflow: visible; }
  table { font-size: 6.8pt; }
  th, td, td.name, th.number, .label { white-space: normal; padding-right: .35rem; min-width: 0; }
  td.name, td.why, .label { overflow-wrap: anywhere; min-width: 2.6rem; }
  td.number { font-size: 6.4pt; }
  td.why, th.why { padding-left: .3rem; min-width: 8rem; }
  ul.lines { font-size: 8pt; }
  ul.lines li { grid-template-columns: 9rem 1fr; break-inside: auto; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
}
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="emergence-harness {{ version }}">
<title>{{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
<main>
<h1>{{ title }}</h1>
<p class="lead">{{ summary }}</p>
{% if notice %}<p>{{ notice }}</p>{% endif %}
{% for family in families %}
<section class="answer">
<p>{% if families|length > 1 %}{{ family.name }}: {% endif %}<strong>{{ family.found.sentence }}</strong>
{{ family.found.counts_what }} {{ family.found.provisional }}</p>
{% if family.matters %}
<ul>
{% for anchor, one in family.matters %}
<li><a href="#{{ anchor }}">{{ one.judged.curve.task }}</a>, {{ one.judged.curve.label }}
{% if one.of_settings > 1 %}(so in {{ one.settings }} of {{ one.of_settings }} settings){% endif %}:
{{ one.sentence }}</li>
{% endfor %}
</ul>
{% endif %}
</section>
{% endfor %}
<nav aria-label="Contents">
<ol>
<li><a href="#reading">How to read it</a></li>
{% if families %}
<li><a href="#verdicts">What the curves show</a></li>
<li><a href="#overview">All tasks at a glance</a></li>
<li><a href="#tasks">Task by task</a>
{% for family in families %}
<ul class="tasks">
{% for task in family.tasks %}<li><a href="#{{ task.anchor }}">{{ task.name }}</a></li>{% endfor %}</ul>
{% endfor %}</li>
<li><a href="#leaderboard">Leaderboard</a></li>
{% if power %}<li><a href="#power">What the documents can show</a></li>{% endif %}
{% endif %}
{% if compared %}<li><a href="#compared">Compared with results of others</a></li>{% endif %}
<li><a href="#failures">What is missing</a></li>
<li><a href="#provenance">How this was made, and how to make it again</a></li>
<li><a href="#glossary">Glossary</a></li>
<li><a href="#citation">How to cite</a></li>
</ol>
</nav>

<h2 id="reading">How to read it</h2>
<ul>
<li>A <strong>cell</strong> is one number: a model on a task with so many examples before the question (shots), one
prompt and one seed. A <strong>curve</strong> joins the cells of one family over its sizes, and has a
<strong>verdict</strong>.</li>
<li><strong>Figures</strong>: each family has a colour, each number of shots a dash. Grey lines are chance (dashed) and
the best possible score (dotted). What is shaded, or a strip, is where an ability sets in. A ring marks the size from
which on a curve is above chance.</li>
<li><strong>Error bars and bands</strong> are 95 % intervals: Wilson intervals for scores that are shares of documents,
normal ones otherwise. Few-shot seeds ask the same documents, so they are averaged without pretending to more documents;
their variation is added to the interval.</li>
<li><strong>Chance</strong> is the expected score without the ability, as the task states it. A size counts as above
chance when it and all larger sizes are (exact one-sided tests, 5 % divided by the number of sizes).</li>
<li><strong>Emergent</strong>: the smaller sizes, taken together, are not above chance by 5 points of 100, the largest
are, and no simple law fitted to the smaller ones foresees them (p_ext below 0.01). <strong>Sharp</strong>: no smooth
curve over all sizes fits either (p below 0.01). <strong>Apparent</strong>: a steep smooth curve does, which is the
rule when a single size has the ability. <strong>Metric-robust</strong>: the continuous metric of the same answers does
not improve before the jump. <strong>Made by the metric</strong>: it improves, clearly and by a quarter of its range or
more, where the headline metric shows nothing yet.</li>
<li><strong>Rises</strong> and <strong>falls</strong>: Cochran-Armitage trend over the scale, q below 0.05 after
correction, by more than sizes scatter, and a change of at least 5 points of 100 (or a top clearly above chance).
<strong>Falls, then rises</strong> and <strong>rises, then falls</strong>: both arms significant and at least that
large.</li>
<li><strong>Flat</strong>: a change of more than 10 points is excluded. <strong>Flat, above chance</strong>: above
chance at all sizes together, and no trend. <strong>Cannot tell</strong>: the documents do not decide; more of them,
or more sizes, would.</li>
<li>Models of one curve share engine, number format, task version and documents. Results that differ are drawn
apart.</li>
</ul>

{% if families %}
<h2 id="verdicts">What the curves show</h2>
<p>One line per task and setting, judged on the task's headline metric: does the ability rise with scale, from which
size is it above chance, and could the largest sizes be foreseen from the smaller ones?</p>
<div class="scroll"><table>
<thead><tr><th>Task</th>{% if families|length > 1 %}<th>Family</th>{% endif %}<th>Setting</th>
<th>Verdict</th><th class="number">Threshold (95 %)</th><th class="number wide">Above chance from</th>
<th class="number">Change</th><th class="number">q</th><th class="number wide">Deciding sizes</th>
<th class="why">Why</th></tr>
</thead>
<tbody>
{% for line in verdicts %}
<tr><td class="name"><a href="#{{ line.anchor }}">{{ line.row.task }}</a></td>
{% if families|length > 1 %}<td class="name">{{ line.row.family }}</td>{% endif %}
<td class="name">{{ line.row.setting }}</td>
<td><span class="label {{ line.label }}">{{ line.row.verdict }}</span></td>
<td class="number">{{ line.row.threshold }}</td><td class="number">{{ line.row.above_chance_from }}</td>
<td class="number">{{ line.row.change }}</td><td class="number">{{ line.row.q }}</td>
<td class="number">{{ line.row.deciding_sizes }}</td>
<td class="why">{{ line.reasons[0] }} <a href="#{{ line.anchor }}">All reasons</a></td></tr>
{% endfor %}
</tbody></table></div>
<p class="soft">Threshold: where the curve passes chance by 5 points of 100, with its 95 % interval; “&lt;” and “+”
mark what lies outside the sizes measured. Above chance from: this size and all larger ones are, one by one. Change:
rise of a straight line fitted over the scale, from the smallest to the largest size. q: trend test, corrected for all
{{ verdicts|length }} curves of this page (Benjamini-Hochberg). Deciding sizes: how many there are without which the
verdict would be another. “–”: there is none.</p>

<h2 id="overview">All tasks at a glance</h2>
{% for family in families %}
{% if family.overviews %}<h3>{{ family.name }}</h3>{% endif %}
{% for drawn in family.overviews %}{{ drawn }}{% endfor %}
{% endfor %}

<h2 id="tasks">Task by task</h2>
<p>Left: the headline metric. Right: a continuous metric of the same answers. An ability that jumps on the left but
grows steadily on the right was growing all along, and the metric hid it. Thin lines are fitted growth forms: they
describe the sizes measured and promise nothing beyond them.</p>
{% if undrawn %}<p>Here are figures of the {{ families|map(attribute="tasks")|map("length")|sum }} tasks that do most.
The other {{ undrawn }} are in the tables, with all their reasons, and
<code>emergence curves --task NAME --figure FILE.html</code> draws any of them.</p>{% endif %}
{% for family in families %}
{% for task in family.tasks %}
<section>
<h3 id="{{ task.anchor }}">{{ task.name }} <span class="soft">{{ task.kind }}, {{ family.name }}</span></h3>
<dl class="card">
{% for heading, text in task.facts %}<dt>{{ heading }}</dt><dd>{{ text }}</dd>{% endfor %}
{% if task.question %}
<dt>Example{% if task.card.example.shots %}, after {{ task.card.example.shots }} solved ones{% endif %}</dt>
<dd><pre>{{ task.question }}</pre>
{% if task.card.example.options %}Options: {{ task.card.example.options|map('trim')|join(' / ') }}. {% endif %}
Right: <strong>{{ task.card.example.answers|map('trim')|join(' / ') }}</strong></dd>
{% endif %}
</dl>
<ul class="lines">
{% for line in task.lines %}
<li><span class="label {{ line.label }}">{{ line.row.setting }}: {{ line.row.verdict }}</span>
<details class="reasons" open><summary>{{ line.reasons[0] }}</summary>{{ line.rest }} Numbers:
{{ line.row.evidence }}.</details></li>
{% endfor %}
</ul>
{% for drawn in task.figures %}{{ drawn }}{% endfor %}
</section>
{% endfor %}
{% endfor %}

<h2 id="leaderboard">Leaderboard</h2>
<p>Rank: the places that a model can hold. Models that cannot be told apart share theirs: every pair is compared
{% if paired %}on the documents that both answered{% else %}by its scores and their errors{% endif %}, and all pairs are
corrected together (Holm), so that all ranges hold with 95 %. <code>mean_normalized</code> is the mean of chance-centred
headline scores over the settings that most models share, in which each task counts once, with its 95 % interval; a
model that lacks one of these has none. Tasks: headline scores, the mean over these settings, few-shot seeds averaged;
empty means no score.</p>
{% for board in boards %}
<div class="scroll"><table>
<thead><tr>
{% for column in board.columns %}
<th class="{{ 'number wide' if loop.index0 >= board.names else '' }}">{{ column }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in board.rows %}
<tr>
{% for value in row %}
<td class="{{ 'number' if loop.index0 >= board.names else 'name' }}">{{ value }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody></table></div>
{% endfor %}
{% for drawn in heat_maps %}{{ drawn }}{% endfor %}

{% if costs.rows %}
<h2 id="costs">What it took</h2>
<p>Score: the mean way from chance (0) to perfect (1) over the settings that all models of a family have. On disk: a
file of the weights that wastes nothing. Ready in: loading, rounding, pruning, training. {{ costs.basis }}</p>
<div class="scroll"><table>
<thead><tr>{% for name in costs.head %}<th class="{{ 'number wide' if loop.index0 >= 2 else '' }}">{{ name }}</th>
{% endfor %}</tr></thead>
<tbody>{% for row in costs.rows %}<tr>{% for value in row %}
<td class="{{ 'number' if loop.index0 >= 2 else 'name' }}">{{ value }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>
{% for drawn in cost_figures %}{{ drawn }}{% endfor %}
{% endif %}

{% if power %}
<h2 id="power">What the documents can show</h2>
{{ power }}
{% endif %}
{% endif %}

{% if compared %}
<h2 id="compared">Compared with results of others</h2>
<p>Results of others join a curve, and count in its verdict, only where everything is equal that can change a score:
family, task and its version, shots, prompt, metric, program, number format. All others are kept apart: figures show
them with open markers where task, shots and metric are those of a curve of one's own, and no verdict counts them.</p>
<ul>{% for line in compared %}<li>{{ line }}</li>{% endfor %}</ul>
{% endif %}

<h2 id="failures">What is missing</h2>
{% if not failures and not partial and not problems %}
<p>Nothing: every cell that was asked has all its
documents.</p>{% endif %}
{% if failures %}<p>{{ failures|length }} cells failed. They have no score: they are not zeros.</p>
<div class="scroll"><table><thead><tr><th>Model</th><th>Task</th><th>Setting</th><th>Error</th></tr></thead>
<tbody>{% for row in failures %}<tr><td class="name">{{ row.model }}</td><td class="name">{{ row.task }}</td>
<td class="name">{{ row.setting }}</td><td>{{ row.error }}</td></tr>
{% endfor %}</tbody></table></div>{% endif %}
{% if partial %}<p>Cells with fewer documents than expected:</p>
<ul>{% for line in partial %}<li>{{ line }}</li>{% endfor %}</ul>{% endif %}
{% if problems %}<p>Files that could not be read and were skipped:</p>
<ul>{% for line in problems %}<li>{{ line }}</li>{% endfor %}</ul>{% endif %}

<h2 id="provenance">How this was made</h2>
<dl>{% for name, value in provenance %}<dt>{{ name }}</dt><dd>{{ value }}</dd>{% endfor %}</dl>
{% if commands %}<p>These commands make exactly the cells of this page again, and the page from them. Where files
of your own lie is taken from the records of runs; what a run was permitted (<code>--trust-remote-code</code>,
<code>--allow-code</code>) and the address of a server have to be added.</p>
<pre>{{ commands }}</pre>{% endif %}

<h2 id="glossary">Glossary</h2>
<dl>{% for word, text in glossary %}<dt>{{ word }}</dt><dd>{{ text }}</dd>{% endfor %}</dl>

<h2 id="citation">How to cite</h2>
<p>If this page went into your work, please cite the harness, the sources of the tasks and those of the models:</p>
<pre>{{ citation }}</pre>

<footer>Made by emergence-harness {{ version }} on {{ made_at }}.</footer>
</main>
<noscript><p class="soft">Without JavaScript every figure stays a picture, and nothing else is missing.</p></noscript>
<script type="text/plain" id="figures">{{ drawings.packed }}</script>
<!-- plotly.js, MIT licence, packed -->
<script type="text/plain" id="plotly">{{ plotly }}</script>
<script>{{ script }}</script>
</body>
</html>
"""
