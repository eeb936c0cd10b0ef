"""How the shop looks, by day and by night."""

STYLE = """
:root{--paper:#fbf7ef;--card:#fffdf8;--ink:#2a2420;--soft:#75695e;--line:#e6dccb;--accent:#0f6b62;--cloth:#15423e;
--gold:#d9b36c;--red:#c5332b;--alarm:#fbe6e2}
@media (prefers-color-scheme:dark){:root{--paper:#1b1815;--card:#25211d;--ink:#eee6da;--soft:#a89a8a;--line:#3b342d;
--accent:#62c4b6;--cloth:#0e3532;--red:#ff7a70;--alarm:#43221f}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:17px/1.6 Georgia,'Iowan Old Style','Times New Roman',serif}
a{color:var(--accent)}
code{font:.88em ui-monospace,SFMono-Regular,Menlo,monospace;background:var(--card);border:1px solid var(--line);
padding:.1em .4em;border-radius:4px}
header{display:flex;align-items:center;justify-content:space-between;padding:1rem clamp(1rem,5vw,4rem);
border-bottom:1px solid var(--line);background:var(--card);position:relative}
.brand{font-size:1.25rem;font-weight:700;letter-spacing:.04em;text-decoration:none;color:var(--ink)}
.brand::before{content:'';display:inline-block;width:.95em;height:.8em;margin-right:.5em;background:var(--accent);
clip-path:polygon(0 100%,100% 0,78% 100%)}
.account summary{cursor:pointer;list-style:none;color:var(--accent)}
.account form{position:absolute;right:clamp(1rem,5vw,4rem);top:100%;z-index:1;display:grid;gap:.7rem;padding:1.2rem;
background:var(--card);border:1px solid var(--line);border-radius:0 0 10px 10px;box-shadow:0 12px 30px #0003}
label{display:grid;font-size:.85rem;color:var(--soft)}
input{font:inherit;color:var(--ink);background:var(--paper);border:1px solid var(--line);border-radius:6px;
padding:.4em .6em}
button,.button{font:inherit;background:var(--accent);color:var(--paper);border:0;border-radius:6px;padding:.5em 1.2em;
cursor:pointer;text-decoration:none;display:inline-block}
main{max-width:1040px;margin:0 auto;padding:2.5rem clamp(1rem,5vw,2rem)}
h1{font-size:clamp(1.9rem,4.5vw,3rem);line-height:1.15;margin:.1em 0 .4em}
h4{font-size:1.05rem;letter-spacing:.06em;text-transform:uppercase;color:var(--soft);margin:1.6rem 0 .7rem}
.front table{border-collapse:collapse;margin:1.5rem 0}
.front th{text-align:left;padding:.4em 1.5em .4em 0;vertical-align:top}
.front td{padding:.4em 0;color:var(--soft)}
.product{display:grid;grid-template-columns:minmax(150px,240px) 1fr;gap:clamp(1.5rem,5vw,3.5rem);align-items:start}
.cover{width:100%;filter:drop-shadow(0 14px 22px #0005)}
.cover .cloth{fill:var(--cloth)}.cover .spine{fill:#0003}.cover .frame{fill:none;stroke:var(--gold);stroke-width:1.5}
.cover .masks path{fill:#efe3c8}.cover .masks path:first-child{fill:var(--gold)}
.cover .lines path,.cover .rule{fill:none;stroke:#15302d;stroke-width:4;stroke-linecap:round}
.cover .rule{stroke:var(--gold);stroke-width:1}
.cover text{fill:var(--gold);font:600 18px Georgia,serif;letter-spacing:.12em;text-anchor:middle}
.cover .small{font:italic 14px Georgia,serif;letter-spacing:.02em}
.summary{font-size:1.08rem;max-width:38em}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.6rem;margin:0}
dt{color:var(--soft)}dd{margin:0}
.reviews{display:grid;grid-template-columns:repeat(auto-fit,minmax(280px,1fr));gap:1.2rem}
figure{margin:0;padding:1.4rem 1.6rem;background:var(--card);border:1px solid var(--line);border-radius:10px}
blockquote{margin:.2rem 0 .8rem;font-size:1.1rem;font-style:italic}
figcaption{color:var(--soft)}figcaption::before{content:'\\2014  '}
.stars{margin:0;font-size:1.5rem;line-height:1.2;letter-spacing:.12em;color:var(--ink)}.stars.red{color:var(--red)}
.unrated{margin:0;color:var(--red);font-size:.95rem}
.failure{background:var(--alarm);border-left:4px solid var(--red);border-radius:6px;padding:.6rem 1.2rem}
.failure h4{color:var(--red);margin:.3rem 0;text-transform:none;letter-spacing:0}.failure p{margin:.3rem 0}
.served,footer{color:var(--soft);font-size:.92rem}
footer{text-align:center;padding:0 1rem 2.5rem}
@media (max-width:640px){.product{grid-template-columns:1fr}.cover{max-width:190px}}
"""
