//! One indicator, one file. The list is in [`crate::registry`].

macro_rules! modules {
    ($($module:ident :: $kernel:ident),* $(,)?) => {
        $(
            #[doc = include_str!(concat!(stringify!($module), ".md"))]
            pub mod $module;
        )*
    };
}

for_each_kernel!(modules);
