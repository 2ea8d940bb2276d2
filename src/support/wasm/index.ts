/** Writes WebAssembly: expressions that know their types, statements, functions, modules. */
export {
	constant,
	type Expr,
	Int,
	type IntType,
	i32,
	i64,
	type Operand,
	type Sum,
	type ValueType,
	type Width,
} from './expr.ts';
export {
	callIn,
	callOf,
	type Func,
	FunctionBuilder,
	type Label,
	Local,
	type Parameters,
	type ScopedLocal,
	type Table,
	VectorLocal,
} from './function-builder.ts';
export {Memory, type MemoryDeclaration, type RmwOperation} from './memory.ts';
export {type FuncOf, ModuleBuilder, type Signature} from './module-builder.ts';
export {
	type FloatShape,
	splat,
	splatConverted,
	Vector,
	type VectorBinary,
	type VectorReduction,
	type VectorShape,
	type VectorShift,
	type VectorUnary,
	vectorOf,
} from './vector.ts';
