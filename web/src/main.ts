import "./tokens.css";
import "./base.css";
import { mount } from "svelte";
import App from "./view/App.svelte";
import { theme } from "./state/theme.svelte";

theme.start();
mount(App, { target: document.getElementById("app")! });
