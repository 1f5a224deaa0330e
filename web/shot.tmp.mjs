import { chromium } from "playwright-core";
const [url, out, w=1280, h=800, scheme="dark", wait=2500] = process.argv.slice(2);
const b = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const p = await (await b.newContext({ viewport: { width: +w, height: +h }, colorScheme: scheme })).newPage();
p.on("console", m => console.log(m.type(), m.text())); p.on("pageerror", e => console.log(String(e)));
await p.goto(url); await p.waitForTimeout(+wait); await p.screenshot({ path: out }); await b.close();
