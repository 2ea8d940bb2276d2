/** Nodes: the named, timed steps that commands and pipelines are made of. */

/** Ways for a running node to tell things. */
export interface NodeContext {
	/** Prints one progress line. */
	log(line: string): void;
	/** Says that the node had nothing to do; shown in place of "done". */
	skip(reason: string): void;
}

/** A step with a name. Nodes hold no state: everything they need is in their input. */
export interface FloweyNode<Input, Output> {
	readonly name: string;
	run(context: NodeContext, input: Input): Promise<Output>;
}

/** Runs `node`, printing its progress to stderr, so that stdout stays with the tools it runs. */
export async function runNode<Input, Output>(node: FloweyNode<Input, Output>, input: Input): Promise<Output> {
	const started = performance.now();
	let outcome = 'done';
	const print = (text: string) => process.stderr.write(`${node.name}: ${text}\n`);
	const seconds = () => ((performance.now() - started) / 1000).toFixed(2);
	try {
		const output = await node.run({log: print, skip: (reason) => (outcome = reason)}, input);
		print(`${outcome} (${seconds()} s)`);
		return output;
	} catch (error) {
		print(`failed (${seconds()} s)`);
		throw error;
	}
}
