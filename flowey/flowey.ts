/** Developer tasks and pipelines: `tsx flowey/flowey.ts <command>`. */

import {COMMANDS} from './commands.ts';
import {runCommand} from './core/index.ts';

function help(): string {
	const rows = COMMANDS.map(({name, usage, summary}) => `  ${`${name} ${usage}`.trim()}\n      ${summary}`);
	return `usage: flowey <command>\n\n${rows.join('\n')}\n`;
}

async function main(words: readonly string[]): Promise<number> {
	const [name, ...rest] = words;
	if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
		process.stdout.write(help());
		return name === undefined ? 2 : 0;
	}
	const command = COMMANDS.find((candidate) => candidate.name === name);
	if (command === undefined) {
		process.stderr.write(`flowey: unknown command ${name}\n\n${help()}`);
		return 2;
	}
	if (rest[0] === '--help' || rest[0] === '-h') {
		process.stdout.write(`usage: flowey ${command.name} ${command.usage}\n\n${command.summary}\n`);
		return 0;
	}
	return runCommand(command, rest, (text) => process.stderr.write(text));
}

// An exit status, not process.exit: output that is still on its way gets written.
process.exitCode = await main(process.argv.slice(2));
