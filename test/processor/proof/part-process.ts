// A process of `PartProcesses`: runs the shares that it is sent, one at a time.
import type {Answer, Order} from './part-processes.ts';
import {proofParts} from './parts.ts';

process.on('message', ({part, share}: Order) => {
	void answer(part, share).then((message) => process.send?.(message));
});

async function answer(name: string, share: Order['share']): Promise<Answer> {
	try {
		const part = proofParts.find((one) => one.name === name);
		if (part === undefined) throw new TypeError(`there is no part ${name}`);
		return {result: await part.run(share, (told) => void process.send?.({told} satisfies Answer))};
	} catch (error) {
		return {error: error instanceof Error ? (error.stack ?? error.message) : String(error)};
	}
}
