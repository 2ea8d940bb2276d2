import {type Int, ModuleBuilder, splatConverted} from '#support/wasm';

/**
 * Builds a module whose function `fuses` tells, given 1, whether WebAssembly's relaxed multiplication with addition rounds once on this host, of
 * singles and of doubles: 0 or 1. It does where V8 finds FMA3.
 */
export function buildFuseCheck(): Uint8Array<ArrayBuffer> {
	const module = new ModuleBuilder();
	const check = module.function({parameters: ['i32'], result: 'i32'});
	const {body} = check;
	// No constant, so that no compiler computes it.
	const one = body.parameters[0].toI64U();
	/** The square of 2^n + 1, less 2^2n + 2^(n + 1), is 1; as a product that is rounded the square has no room for it. */
	const isFused = (shape: 'f32x4' | 'f64x2', bits: number): Int<'i32'> => {
		const number = (value: Int<'i64'>) => body.letVector(splatConverted(shape, value));
		const power = 1n << BigInt(bits);
		const factor = number(one.mul(power).add(1));
		const rest = number(one.mul(-power * (power + 2n)));
		const difference = factor.relaxedMultiplyAdd(shape, factor, rest);
		return difference.binary(`${shape}.eq`, number(one)).reduce('v128.any_true');
	};
	body.return(isFused('f32x4', 23).and(isFused('f64x2', 31)));
	module.exportFunction('fuses', check);
	return module.encode();
}
