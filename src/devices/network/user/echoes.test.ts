import {execFileSync} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {inNameSpace, mayInNameSpace} from '#devices/network/testing';

/** In a name space of its own a user says who may send echo requests. */
const range = '/proc/sys/net/ipv4/ping_group_range';
const may = mayInNameSpace(`ip link set lo up && echo 0 0 >${range}`);

(may ? test : test.skip)(
	'echo requests go on by sockets that need no rights, where policy and the host let them',
	(t) => {
		const script = fileURLToPath(new URL('testing/echoes-in-name-space.ts', import.meta.url));
		// A new name space lets nobody.
		const words = inNameSpace('ip link set lo up && exec "$@"', process.execPath, '--import=tsx', script);
		const said = execFileSync('unshare', words, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit']});
		const attempt = (address: string) => ({guest: 'guest', protocol: 'icmp', address});
		t.deepEqual(JSON.parse(said), {
			withoutSockets: ['127.0.0.1 3/13', 1, []],
			whole: {
				answers: [
					`127.0.0.1 0/0 ${0x1234} 7 abc`,
					`127.0.0.1 0/0 ${0x4321} 7 from another`,
					`127.0.0.1 0/0 ${0x1234} 7 `,
					'0:0:0:0:0:0:0:1 129/0 9 7 six',
				],
				long: 3008,
				refused: ['192.0.0.8 3/13', '192.0.0.8 3/13', '203.0.113.9 3/13'],
				told: [
					'allow icmp 127.0.0.1 undefined',
					'allow icmp 127.0.0.1 undefined',
					'allow icmp ::1 undefined',
					'allow icmp 127.0.0.1 undefined',
					'refuse icmp 192.0.0.8 undefined',
					'refuse icmp 203.0.113.9 undefined',
				],
				echoes: 5,
			},
			sockets: 4,
			byRule: ['127.0.0.1 3/13', '0:0:0:0:0:0:0:1 129/0 4660 7 abc'],
			byProgram: ['93.184.216.34 0/0 4660 7 abc', '93.184.216.35 3/13'],
			asked: [attempt('93.184.216.34'), attempt('93.184.216.35')],
			noRoute: '93.184.216.34 3/1',
			bounded: {most: 256, tableFull: 44},
		});
	},
);
