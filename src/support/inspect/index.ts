export {dataChildren, dataNode} from './data.ts';
export {toJson} from './json.ts';
export {
	type Answer,
	byteCount,
	type Children,
	duration,
	hex,
	type InspectNode,
	type LeafNode,
	leaf,
	nodeName,
	type ObjectNode,
	object,
	type Value,
	type Writer,
} from './node.ts';
export {type InspectOptions, inspectTree, updateTree} from './query.ts';
export type {InspectResult} from './result.ts';
export {toText} from './text.ts';
export {choiceWriter, integerWriter} from './writers.ts';
