// Has a name mean a directory and a link in turns, as fast as it can, until its input ends.
import {renameSync} from 'node:fs';

const [, , name, directory, link] = process.argv;
process.stdin.on('end', () => process.exit(0)).resume();
process.stdout.write('ready\n');
const swap = () => {
	for (let turn = 0; turn < 200; turn++) {
		renameSync(name, directory);
		renameSync(link, name);
		renameSync(name, link);
		renameSync(directory, name);
	}
	setImmediate(swap);
};
swap();
