import {execFile} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import {createServer, type Server} from 'node:http';
import type {AddressInfo} from 'node:net';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {findProgram} from '#test/incubator';

/** Browsers by the names of their programs; the first is Debian's without windows. */
const browsers = ['chromium-headless-shell', 'chromium'] as const;

/** A browser that can be run without a screen; undefined where there is none. */
export const browser = browsers.map(findProgram).find((path) => path !== undefined);

/** The page of speedscope as npm has it. */
const release = join(process.cwd(), 'node_modules', 'speedscope', 'dist', 'release');

const types: Readonly<Record<string, string>> = {
	html: 'text/html',
	js: 'text/javascript',
	css: 'text/css',
	json: 'application/json',
	wasm: 'application/wasm',
	woff2: 'font/woff2',
	png: 'image/png',
};

/** One row of the page's table: a function, and its part of the time with what it calls and without, in percent. */
export interface TableRow {
	readonly name: string;
	readonly total: number;
	readonly self: number;
}

/** Views of the page. */
export type PageView = 'time-ordered' | 'left-heavy' | 'sandwich';

/** Options for a browser that nobody sees, that draws without a graphics card, and whose clock runs on when the page has nothing to do. */
const options = [
	...['--headless', '--no-sandbox', '--no-first-run', '--hide-scrollbars', '--window-size=1400,700'],
	...['--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--virtual-time-budget=30000'],
] as const;

/**
 * Opens a profile in speedscope's page, served from loopback, in a browser.
 * @param folder - for the browser's own files
 * @param picture - file for what the page shows
 * @returns the page as it is then
 */
export async function openInSpeedscope(
	program: string,
	{profile, folder, view, picture}: {profile: string; folder: string; view: PageView; picture?: string},
): Promise<string> {
	const server = await serve(profile);
	try {
		const {port} = server.address() as AddressInfo;
		const origin = `http://127.0.0.1:${port}`;
		const hash = new URLSearchParams({profileURL: `${origin}/profile.json`, view});
		const words = [
			...options,
			`--user-data-dir=${folder}`,
			...(picture === undefined ? ['--dump-dom'] : [`--screenshot=${picture}`]),
			`${origin}/index.html#${hash}`,
		];
		const {stdout} = await promisify(execFile)(program, words, {maxBuffer: 2 ** 26});
		return stdout;
	} finally {
		server.closeAllConnections();
		server.close();
	}
}

async function serve(profile: string): Promise<Server> {
	const files = new Map(readdirSync(release).map((name) => [`/${name}`, join(release, name)]));
	files.set('/profile.json', profile);
	const server = createServer(({url = ''}, response) => {
		const path = new URL(url, 'http://localhost').pathname;
		const file = files.get(path);
		if (file === undefined) response.writeHead(404).end();
		else {
			response.setHeader('content-type', types[path.slice(path.lastIndexOf('.') + 1)] ?? 'application/octet-stream');
			response.end(readFileSync(file));
		}
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	return server;
}

/** The rows of the table that the page shows in its view `sandwich`. */
export function tableRows(page: string): TableRow[] {
	const rows = page.match(/<tr[^>]*>.*?<\/tr>/gs) ?? [];
	return rows.flatMap((row) => {
		const cells = (row.match(/<td[^>]*>.*?<\/td>/gs) ?? []).map((cell) => cell.replace(/<[^>]*>/g, ' '));
		const [total, self] = cells.map((cell) => Number(/\(?([\d.]+)%\)?/.exec(cell)?.[1]));
		const name = cells.at(-1)?.trim().replace(/\s+/g, ' ');
		if (name === undefined || total === undefined || self === undefined || Number.isNaN(total + self)) return [];
		return [{name, total, self}];
	});
}
