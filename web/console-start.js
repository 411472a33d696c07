// SPDX-License-Identifier: MIT
// Starts the console's scripts once its page has been painted: nothing takes the processor, or the way to
// the daemon, from the first paint. All are asked for at once, and a script that has started stays as it is.
const SCRIPTS = ["./console.js", "./console-base.js", "./console-orders.js"];
const UNTOLD_MS = 500;  // a tab in the background is not painted, and some browsers never tell

const start = () => SCRIPTS.forEach((script) => import(script));
new PerformanceObserver((told) => told.getEntriesByName("first-contentful-paint").length && start())
	.observe({ type: "paint", buffered: true });
setTimeout(start, document.hidden ? 0 : UNTOLD_MS);
