export {
	type BreakpointRequest,
	BreakpointTable,
	breakpointType,
	type HitReason,
	type InsertResult,
} from './breakpoint-table.ts';
