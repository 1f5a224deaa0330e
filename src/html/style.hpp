// The style sheet of the HTML report: dark and light from the same tokens.
#pragma once

namespace peerscope {

// Series: Okabe & Ito's palette, which colour-blind people can read.
inline constexpr const char* kReportStyle = R"css(
:root{color-scheme:light dark;--bg:#fbfbfa;--ink:#1c1e21;--soft:#6a6f76;--rule:#e3e4e6;--accent:#0072b2;
--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#cc79a7;--c4:#e69f00;--c5:#56b4e9;--c6:#8a8f98;--bad:#c0392b}
@media(prefers-color-scheme:dark){:root{--bg:#15171a;--ink:#e8e9eb;--soft:#9aa0a8;--rule:#2b2f35;--accent:#56b4e9;
--c0:#4aa3e0;--c1:#f0803c;--c2:#2fc79a;--c3:#e39bc4;--c4:#f2b632;--c5:#8bd0f5;--c6:#a3a8b0;--bad:#ff7b6b}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:1360px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:26px;font-weight:600;letter-spacing:-.01em;margin:0 0 4px}
h2{font-size:18px;font-weight:600;margin:44px 0 2px}
p{margin:0 0 4px}.soft,dt{color:var(--soft)}.bad{color:var(--bad);font-weight:600}
header{border-bottom:1px solid var(--rule);padding-bottom:20px}
.facts{display:flex;flex-wrap:wrap;gap:6px 36px;margin:16px 0 0}.facts div{min-width:0}
.facts dt{font-size:12px}.facts dd{margin:0;overflow-wrap:anywhere}
.verdict{margin:2px 0 8px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));gap:16px 32px}
.charts svg{width:100%;height:auto;display:block;overflow:visible}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;margin:6px 0 14px;font-size:13px}
.legend svg{width:26px;height:12px;margin-right:6px;vertical-align:-1px}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--soft)}
svg text.title{fill:var(--ink);font-weight:600}svg text.note{font-size:11px;paint-order:stroke;stroke:var(--bg);stroke-width:4px;stroke-linejoin:round}
.grid{stroke:var(--rule);stroke-width:1}.cross{stroke:var(--soft);stroke-dasharray:2 3}
.roof{fill:none;stroke:var(--soft);stroke-width:1.4;stroke-dasharray:7 4}
.line{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}
.dot{fill:currentColor;stroke:var(--bg);stroke-width:1}
.s0{color:var(--c0)}.s1{color:var(--c1)}.s2{color:var(--c2)}.s3{color:var(--c3)}.s4{color:var(--c4)}.s5{color:var(--c5)}.s6{color:var(--c6)}
details{margin-top:14px}summary{cursor:pointer;color:var(--accent)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:13px;margin-top:8px}
th,td{padding:3px 14px 3px 0;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}
th{color:var(--soft);font-weight:500}th.l,td.l{text-align:left}
figure{margin:0}figcaption{font-weight:600;font-size:13px}figcaption .soft{display:block;font-weight:400}
.matrices{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr));gap:24px 32px;margin-top:12px}
table.matrix{border-collapse:separate;border-spacing:2px}.matrix td{padding:5px 10px;border:0;border-radius:4px;min-width:56px}
.matrix th{border:0;padding:2px 8px}.matrix .none{color:var(--soft)}figure p{font-size:12px}
footer{margin-top:56px;border-top:1px solid var(--rule);padding-top:14px;font-size:13px;color:var(--soft)}
)css";

}  // namespace peerscope
